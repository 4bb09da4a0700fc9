"""`groundcam models`"""

import json
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from groundcam.commands.options import LogFormat, start
from groundcam.extras import needs
from groundcam_runtime.settings import SettingError

ADVICE = (
    "For rare words take an llmdet-*: on LVIS, 1,203 classes of which most are rare, it is the best of these, at the\n"
    "speed of Grounding DINO with the same backbone. For speed take a Swin-T, and a smaller work.input_size."
)

app = typer.Typer(help="The models that have short names, and how to fetch one.", invoke_without_command=True)


@app.callback()
def models(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each model.")] = False,
) -> None:
    """List the models that have short names, with published box AP on COCO and LVIS; `fetch NAME` fetches one."""
    if context.invoked_subcommand:
        return
    rows = _rows(_hub())
    print("\n".join(json.dumps(row) for row in rows) if as_json else _table(rows))


@app.command("fetch")
def fetch(
    name: Annotated[str, typer.Argument(help="A short name, or an id on the Hugging Face Hub.")],
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit.", show_default="the newest of the branch main")
    ] = None,
    into: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Fill this folder, for `--model FOLDER`, instead of the Hub's cache."),
    ] = None,
    log_format: LogFormat = None,
) -> None:
    """Fetch a model into the Hub's cache or a folder.

    What is there is not fetched again, what was cut off is done again, and every file is checked.
    """
    start(None, log_format=log_format)
    hub = _hub()
    from groundcam_worker.checkpoints.catalogue import resolve

    if revision and "@" in name:
        raise SettingError("--revision: the model's name has a revision already")
    done = hub.fetch(resolve(f"{name}@{revision}" if revision else name), into)
    what = f"{done.fetched} files fetched" if done.fetched else "everything was there, nothing was fetched"
    print(f"{done.folder} is at revision {done.revision}: {what}")


@app.command("compile")
def compile_(
    name: Annotated[str, typer.Argument(help="A short name, an id on the Hugging Face Hub, or a folder.")],
    size: Annotated[
        list[str] | None, typer.Option(help="Size of pictures, as 1920x1080; again for more.", show_default="1280x720")
    ] = None,
    input_size: Annotated[str | None, typer.Option(help="As work.input_size.", show_default="the model's own")] = None,
    log_format: LogFormat = None,
) -> None:
    """Compile a Grounding DINO for this machine's CPU: the same answers in less time.

    Takes a minute or more for each shape that the pictures become, and a C++ compiler. Workers take what they find in
    the cache (work.compile); `groundcam/compiled` in the folder of HF_HOME may be copied to machines of the same kind.
    """
    settings = start(
        None, log_format=log_format, work__model=name, work__warm_sizes=",".join(size) if size else None,
        work__input_size=input_size,
    ).work  # fmt: skip
    with needs("models compile", "worker"):
        from groundcam_worker.checkpoints.catalogue import resolve
        from groundcam_worker.detectors.grounding_dino.optimisations import Optimisations
        from groundcam_worker.detectors.opening import compile_for

    steps = Optimisations(sampling=settings.sampling)
    done = compile_for(resolve(settings.model), settings.warm_sizes, steps, settings.input_size)
    for (width, height), place in done.items():
        print(f"inputs of {width}x{height}: {place}")


def _hub() -> ModuleType:
    """Return what knows the Hub. Raises SettingError."""
    with needs("models", "models"):
        from groundcam_worker.checkpoints import hub
    return hub


def _rows(hub: ModuleType) -> list[dict[str, Any]]:
    from groundcam_worker.checkpoints.catalogue import KNOWN, ModelSource
    from groundcam_worker.errors import ModelError

    rows = []
    for name, model in KNOWN.items():
        folder = hub.cached_folder(ModelSource(name, model.hub_id)) if model.hub_id else None
        here, revision = (None, None) if model.hub_id else ("in the box", None)
        if folder:
            try:
                here, revision = "in the cache", hub.commit_of(folder)
            except ModelError:
                here = "damaged"
        rows.append(
            {
                "name": name,
                "hub_id": model.hub_id,
                "architecture": model.architecture,
                "backbone": model.backbone,
                "parameters_millions": model.parameters_millions,
                "coco_box_ap": model.coco.percent if model.coco else None,
                "coco_zero_shot": model.coco.zero_shot if model.coco else None,
                "coco_source": model.coco.source if model.coco else None,
                "lvis_minival_box_ap": model.lvis.percent if model.lvis else None,
                "lvis_source": model.lvis.source if model.lvis else None,
                "here": here,
                "revision": revision,
            }
        )
    return rows


def _table(rows: list[dict[str, Any]]) -> str:
    cited = (row[name] for row in rows for name in ("coco_source", "lvis_source") if row[name])
    sources = list(dict.fromkeys(cited))
    seen = {True: "zero-shot", False: "trained on COCO", None: ""}
    lines = [("NAME", "ARCHITECTURE", "BACKBONE", "MILLIONS", "COCO AP", "LVIS AP", "HERE", "HUB ID")]
    for row in rows:
        coco, lvis = (
            f"[{sources.index(row[name]) + 1}]" if row[name] else "" for name in ("coco_source", "lvis_source")
        )
        lines.append(
            (
                row["name"], row["architecture"], row["backbone"], f"{row['parameters_millions']:g}",
                f"{row['coco_box_ap']} {seen[row['coco_zero_shot']]} {coco}" if coco else "-",
                f"{row['lvis_minival_box_ap']} {lvis}" if lvis else "-", row["here"] or "-", row["hub_id"] or "-",
            )
        )  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*table, "", *(f"[{number}] {source}" for number, source in enumerate(sources, 1)), "", ADVICE])
