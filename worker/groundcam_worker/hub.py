"""Find a model in the local cache of the Hugging Face Hub, or download it once. The only file that imports it.

A whole snapshot is fetched before anything is loaded: one answer when the Hub is out of reach, instead of
retries for each of its files, and no request at all for what is already there.
"""

import logging
import re
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, IncompleteSnapshotError, LocalEntryNotFoundError

from groundcam_worker.errors import ModelError
from groundcam_worker.models import ModelSource

log = logging.getLogger(__name__)

# No code, and no weights in formats that can hold code.
FILES = ["*.json", "*.txt", "*.safetensors"]
_COMMIT = re.compile(r"^[0-9a-f]{40}$")


def local_folder(source: ModelSource) -> Path:
    """Return the folder that a model is loaded from, downloading it if need be. Raises ModelError."""
    if Path(source.path).is_dir():
        return Path(source.path)
    try:
        folder = Path(_snapshot(source, offline=True))
        if any(folder.glob("*.safetensors")) and (folder / "config.json").is_file():
            return folder
    except (LocalEntryNotFoundError, IncompleteSnapshotError):
        pass
    log.info("downloading %s from the Hugging Face Hub, which is hundreds of megabytes", source)
    try:
        return Path(_snapshot(source, offline=False))
    except LocalEntryNotFoundError as error:
        cause = error.__cause__
        why = f" ({type(cause).__name__})" if cause else ""
        raise ModelError(f"the model {source} is not in the local cache, and the Hub cannot be reached{why}") from error
    except HfHubHTTPError as error:
        # Its text holds request ids and whole URLs; the class says what happened: not found, gated, ...
        raise ModelError(f"the model {source} cannot be downloaded: {type(error).__name__}") from error
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the model {source} cannot be downloaded: {str(error).partition(chr(10))[0][:200]}"
        ) from error


def commit_of(folder: Path) -> str | None:
    """Return the commit that a snapshot's folder is named after, or None for any other folder."""
    return folder.name if _COMMIT.match(folder.name) else None


def _snapshot(source: ModelSource, *, offline: bool) -> str:
    folder: str = snapshot_download(
        source.path, revision=source.revision, allow_patterns=FILES, local_files_only=offline
    )
    return folder
