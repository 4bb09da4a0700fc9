"""`groundcam schema`"""

import json
from pathlib import Path
from typing import Annotated

import typer

from groundcam.commands.options import Config, start

app = typer.Typer(help="The messages' contract.", no_args_is_help=True)


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write the files; made if need be.")] = Path("schemas-out"),
) -> None:
    """Write the JSON Schema of every message."""
    from groundcam_schemas.export import export as export_schemas

    for path in export_schemas(folder):
        print(path)


@app.command("asyncapi")
def asyncapi(
    file: Annotated[
        Path | None,
        typer.Argument(help="Where to write it: as JSON where the name ends in .json.", show_default="print"),
    ] = None,
    config: Config = None,
) -> None:
    """Write all topics as one AsyncAPI document.

    It has, of version 3.0, each topic's messages, keys, headers, retention, and who writes and reads it. The topics
    are called as these settings say (kafka.topic_prefix). Connects to nothing.
    """
    import yaml

    from groundcam import __version__
    from groundcam_runtime.asyncapi import document

    found = document(start(config, None).kafka.topics, __version__)
    is_json = file is not None and file.suffix == ".json"
    text = json.dumps(found, indent=2) if is_json else yaml.safe_dump(found, sort_keys=False, width=120)
    if file is None:
        print(text, end="")
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        print(file)
