"""Whether a folder holds a model whole: the record of what was fetched, and what a download that was cut off left."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from groundcam_worker.checkpoints.catalogue import RECORD, Record
from groundcam_worker.errors import ModelError


def record_of(folder: Path) -> Record | None:
    """Return what was fetched into a folder, None where there is no record. Raises ModelError."""
    path = folder / RECORD
    try:
        return Record.model_validate_json(path.read_bytes()) if path.is_file() else None
    except ValidationError:
        raise ModelError(f"{path} cannot be read: remove it and run `groundcam models fetch` again") from None


def leftovers(folder: Path) -> list[Path]:
    """Return what a download that was cut off has left."""
    return sorted([*folder.glob("*.incomplete"), *(folder / ".cache" / "huggingface").rglob("*.incomplete")])


def faults_of(folder: Path, record: Record | None) -> Iterator[str]:
    """Yield what is wrong in a folder: what costs nothing to find first, hashes last. Raises ModelError."""
    for path in leftovers(folder):
        yield f"{path.name} was left by a download that was cut off"
    if record is None:
        index = folder / "model.safetensors.index.json"
        if index.is_file() and not (folder / "model.safetensors").is_file():
            yield from (f"{name} is missing" for name in _shards(index) if not (folder / name).is_file())
        return
    for name, file in record.files.items():
        if not (folder / name).is_file():
            yield f"{name} is missing"
        elif (size := (folder / name).stat().st_size) != file.size:
            yield f"{name} has {size} bytes instead of {file.size}"
    for name, file in record.files.items():
        if sha256_of(folder / name) != file.sha256:
            yield f"{name} is damaged"


def _shards(index: Path) -> list[str]:
    """Return the files that hold a model's weights. Raises ModelError."""
    try:
        return sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ModelError(f"{index} is damaged: it is no index of safetensors") from None


def sha256_of(path: Path) -> str:
    """Return the hash of a file's content, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
