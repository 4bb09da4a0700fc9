"""Which checkpoint a name means, what is published of those that have a short name, and the record of one. Pure."""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pydantic import BaseModel

from groundcam_worker.errors import ModelError

DEMO = Path(__file__).with_name("demo_model")
"""A small model that comes with the package and knows coloured shapes: see the model card in it."""


@dataclass(frozen=True, slots=True)
class CocoAp:
    """A published box AP on COCO val2017, in percent: nothing that was measured here."""

    percent: float
    zero_shot: bool
    """Whether COCO was left out of the training data. Figures with it say little of what a camera sees."""
    source: str


@dataclass(frozen=True, slots=True)
class LvisAp:
    """A published zero-shot box AP on LVIS minival, in percent: 1,203 classes, most of them rare words."""

    percent: float
    source: str


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A checkpoint that has a short name. Its revision is looked up on the Hub, and is nowhere in the code."""

    name: str
    hub_id: str | None
    """None for the model in the box."""
    architecture: str
    backbone: str
    parameters_millions: float
    coco: CocoAp | None = None
    """None where no figure is published for this checkpoint."""
    lvis: LvisAp | None = None
    """The same."""


_GROUNDING_DINO = "github.com/IDEA-Research/GroundingDINO, README"
_MM = "huggingface.co/docs/transformers/model_doc/mm-grounding-dino"
_MM_CONFIGS = "github.com/open-mmlab/mmdetection, configs/mm_grounding_dino"
_LLMDET = "LLMDet, arXiv 2501.18954"
_MM_HUB = "openmmlab-community/mm_grounding_dino"


def _known() -> tuple[KnownModel, ...]:
    dino, mm, llmdet, owl = "Grounding DINO", "MM Grounding DINO", "LLMDet", "OWLv2"
    tiny, base, large = "Swin-T", "Swin-B", "Swin-L"
    return (
        KnownModel("demo", None, dino, "small Swin", 1.3),
        KnownModel(
            "tiny",
            "IDEA-Research/grounding-dino-tiny",
            dino,
            tiny,
            172,
            CocoAp(48.4, True, _GROUNDING_DINO),
            LvisAp(28.8, _MM_CONFIGS),
        ),
        KnownModel("base", "IDEA-Research/grounding-dino-base", dino, base, 233, CocoAp(56.7, False, _GROUNDING_DINO)),
        KnownModel("mm-tiny", f"{_MM_HUB}_tiny_o365v1_goldg_v3det", mm, tiny, 173, CocoAp(50.6, True, _MM)),
        KnownModel("mm-base", f"{_MM_HUB}_base_o365v1_goldg_v3det", mm, base, 234, CocoAp(52.5, True, _MM)),
        KnownModel("mm-large", f"{_MM_HUB}_large_o365v2_oiv6_goldg", mm, large, 344, CocoAp(53.0, True, _MM)),
        KnownModel("mm-base-all", f"{_MM_HUB}_base_all", mm, base, 234, CocoAp(59.5, False, _MM)),
        KnownModel("mm-large-all", f"{_MM_HUB}_large_all", mm, large, 344, CocoAp(60.3, False, _MM)),
        KnownModel("llmdet-tiny", "iSEE-Laboratory/llmdet_tiny", llmdet, tiny, 173, lvis=LvisAp(44.7, _LLMDET)),
        KnownModel("llmdet-base", "iSEE-Laboratory/llmdet_base", llmdet, base, 234, lvis=LvisAp(48.3, _LLMDET)),
        KnownModel("llmdet-large", "iSEE-Laboratory/llmdet_large", llmdet, large, 344, lvis=LvisAp(51.1, _LLMDET)),
        KnownModel("owlv2-base", "google/owlv2-base-patch16-ensemble", owl, "ViT-B/16", 155),
        KnownModel("owlv2-large", "google/owlv2-large-patch14-ensemble", owl, "ViT-L/14", 438),
    )


KNOWN = {model.name: model for model in _known()}
"""The checkpoints that have short names, in the order in which they are listed."""


@dataclass(frozen=True, slots=True)
class ModelSource:
    """Where a model comes from."""

    name: str
    """As it is called in messages; of a folder only its own name, since paths are nobody's business."""
    path: str
    """A folder, or an id on the Hugging Face Hub."""
    revision: str | None = None

    def __str__(self) -> str:
        place = self.path if self.path == self.name else f"{self.name} ({self.path})"
        return f"{place} at {self.revision}" if self.revision else place


RECORD = "groundcam-model.json"
"""The file beside a model that was fetched."""


class FileRecord(BaseModel, frozen=True):
    """What a file was when it was fetched: its size in bytes, and its hash."""

    size: int
    sha256: str


class Record(BaseModel, frozen=True):
    """The content of that file: the model's id on the Hub, its commit of 40 hexadecimal digits, its files."""

    model: str
    revision: str
    files: dict[str, FileRecord]


def resolve(text: str) -> ModelSource:
    """Read a short name, a folder, or a Hub id, names and ids with an optional `@revision`. Raises ModelError."""
    if text == "demo":
        return ModelSource("demo", str(DEMO))
    folder = Path(text).expanduser()
    if folder.is_dir():
        # What a fetched model lacks is reported by the code that loads it, with the remedy.
        was_fetched = (folder / RECORD).exists() or any(folder.glob("*.incomplete"))
        if not was_fetched and not (folder / "config.json").is_file():
            raise ModelError(f"the folder {text} holds no model: there is no config.json in it")
        if not was_fetched and not any(folder.glob("*.safetensors")):
            raise ModelError(f"the folder {text} holds no *.safetensors file; other formats are not loaded")
        return ModelSource(folder.resolve().name, str(folder))
    name, _, revision = text.partition("@")
    known = KNOWN.get(name)
    if known and known.hub_id:
        return ModelSource(name, known.hub_id, revision or None)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return ModelSource(name, name, revision or None)
    raise ModelError(
        f"the model {text!r} is neither one of {', '.join(KNOWN)}, nor a folder, nor a Hub id like owner/name"
        f"{did_you_mean(text)}"
    )


def did_you_mean(text: str) -> str:
    """Return `; did you mean tiny?` where a name is close to one that is known, else nothing."""
    name = text.partition("@")[0]
    known = {name.casefold(): name for name in KNOWN}
    for model in KNOWN.values():
        if model.hub_id:
            known |= {model.hub_id.casefold(): model.hub_id, model.hub_id.partition("/")[2].casefold(): model.hub_id}
    close = [known[one] for one in get_close_matches(name.casefold(), known, n=1)]
    return f"; did you mean {close[0]}?" if close and close[0] != name else ""
