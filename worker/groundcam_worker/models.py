"""Which checkpoint a name means. Pure."""

from dataclasses import dataclass
from pathlib import Path

from groundcam_worker.errors import ModelError

KNOWN = {
    "tiny": "IDEA-Research/grounding-dino-tiny",
    "base": "IDEA-Research/grounding-dino-base",
}
"""Short names: Grounding DINO with a Swin-T and with a Swin-B backbone."""


DEMO = Path(__file__).with_name("demo_model")
"""A small model that comes with the package and knows coloured shapes: see the model card in it."""


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


def resolve(text: str) -> ModelSource:
    """Read `demo`, `tiny`, `base`, a folder, or a Hub id with an optional `@revision`. Raises ModelError."""
    if text == "demo":
        return ModelSource("demo", str(DEMO))
    folder = Path(text).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(f"the folder {text} holds no model: there is no config.json in it")
        if not any(folder.glob("*.safetensors")):
            raise ModelError(f"the folder {text} holds no *.safetensors file; other formats are not loaded")
        return ModelSource(folder.resolve().name, str(folder))
    name, _, revision = text.partition("@")
    if name in KNOWN:
        return ModelSource(name, KNOWN[name], revision or None)
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return ModelSource(name, name, revision or None)
    raise ModelError(
        f"the model {text!r} is neither demo nor {' nor '.join(KNOWN)}, nor a folder, nor a Hub id like owner/name"
    )
