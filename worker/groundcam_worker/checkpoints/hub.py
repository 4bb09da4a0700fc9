"""Fetch models from the Hugging Face Hub, and recognise incomplete ones. The only file that imports it.

A model that was fetched has a record beside it: its revision, and the size and SHA-256 of each file. The record is
written last. Until then a file called *.incomplete lies there, so that no half of a model, and no mixture of two
revisions, is ever loaded. In the Hub's cache the same is true of the name `main`, which moves last.
"""

import errno
import fnmatch
import hashlib
import logging
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, errors, hf_hub_download, snapshot_download
from huggingface_hub.file_download import repo_folder_name

from groundcam_worker.checkpoints import progress
from groundcam_worker.checkpoints.catalogue import RECORD, FileRecord, ModelSource, Record, did_you_mean
from groundcam_worker.checkpoints.folder_lock import alone_in
from groundcam_worker.checkpoints.integrity import faults_of, leftovers, record_of, sha256_of
from groundcam_worker.errors import ModelError

log = logging.getLogger(__name__)
HOME = Path(constants.HF_HOME)
# No code, and no weights in formats that can hold code.
FILES = ("*.json", "*.txt", "*.safetensors")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")
# The Hub's client changed its HTTP library once; what both raise is found through the class that it exports.
_HTTP_ERROR: type[Exception] = next(kind for kind in errors.HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError")


@dataclass(frozen=True, slots=True)
class Fetched:
    """Where a model lies now, its commit, and how many files had to be fetched: 0 when everything was there."""

    folder: Path
    revision: str
    fetched: int


def local_folder(source: ModelSource, *, check: bool = True) -> Path:
    """Return the folder that a model is loaded from, fetching it if need be.

    Raises ModelError; with `check` also for a folder in which a file is missing, cut off or not what was fetched.
    """
    folder = Path(source.path) if Path(source.path).is_dir() else cached_folder(source)
    if folder is None:
        log.info("fetching %s from the Hugging Face Hub, which is hundreds of megabytes", source)
        return fetch(source).folder
    if check:
        _check(source, folder)
    return folder


def commit_of(folder: Path) -> str | None:
    """Return the commit that was fetched into a folder, or that a snapshot's folder is named after, or None.

    Raises ModelError for a record that cannot be read.
    """
    if record := record_of(folder):
        return record.revision
    return folder.name if _COMMIT.match(folder.name) else None


def cached_folder(source: ModelSource) -> Path | None:
    """Return where a model lies in the Hub's cache, without asking the Hub; None when it never was all there."""
    try:
        folder = Path(
            snapshot_download(
                source.path, revision=source.revision, allow_patterns=list(FILES), ignore_patterns=["*/*"],
                local_files_only=True,
            )
        )  # fmt: skip
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        return None
    was_whole = (folder / RECORD).is_file() or (
        (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    )
    return folder if was_whole and not leftovers(folder) else None


def fetch(source: ModelSource, into: Path | None = None) -> Fetched:
    """Fetch what is not there yet of a model, into the Hub's cache or into a plain folder.

    The newest revision is looked up on the Hub, unless the source names a commit that lies there already. What was cut
    off is done again. Raises ModelError.
    """
    if Path(source.path).is_dir():
        raise ModelError(f"the model {source} is a folder of this machine: there is nothing to fetch")
    there = into or cached_folder(source)
    if there and source.revision and _is_recorded(source, there):
        return Fetched(there, source.revision, 0)
    _log_as_we_do()
    with _one_sentence(source, into), alone_in(into or _place(source, ".locks")):
        info = HfApi().model_info(
            source.path, revision=source.revision, files_metadata=True, timeout=constants.HF_HUB_ETAG_TIMEOUT
        )
        commit = str(info.sha)
        files = {file.rfilename: file for file in info.siblings or () if _is_wanted(file.rfilename)}
        if "config.json" not in files or not fnmatch.filter(files, "*.safetensors"):
            raise ModelError(f"the model {source} has no config.json with *.safetensors; other formats are not loaded")
        folder = into or _place(source) / "snapshots" / commit
        fetched = _fill(source, folder, commit, files, local=into is not None)
        if into is None:
            _point(_place(source) / "refs" / (source.revision or constants.DEFAULT_REVISION), commit)
    return Fetched(folder, commit, fetched)


def _place(source: ModelSource, *kind: str) -> Path:
    """Return a model's folder in the Hub's cache, or among what the cache holds of a kind. Raises ValueError."""
    return Path(constants.HF_HUB_CACHE, *kind, repo_folder_name(repo_id=source.path, repo_type="model"))


def _fill(source: ModelSource, folder: Path, commit: str, files: dict[str, Any], *, local: bool) -> int:
    """Fetch the files that are not what the Hub says of them, write the record, return how many there were."""
    marker, old = folder / f"{RECORD}.incomplete", record_of(folder)
    gone = [folder / name for name in (old.files if old else ()) if _is_wanted(name) and name not in files]
    if strangers := {path for path in folder.glob("*.safetensors") if path.name not in files}.difference(gone):
        raise ModelError(f"{folder} holds weights that are not of the model {source}: {strangers.pop().name}")
    folder.mkdir(parents=True, exist_ok=True)
    record, fetched, told = {}, 0, progress.current()
    told.begin(sum(file.size or 0 for file in files.values()))
    for name, file in files.items():
        with told.file(file.size or 0):
            sha256 = _sha256_if_right(folder / name, file)
            if sha256 is None:
                marker.touch()
                sha256 = _download(source, folder, commit, file, progress.bar_of(told), local=local)
                fetched += 1
        record[name] = FileRecord(size=(folder / name).stat().st_size, sha256=sha256)
    new = Record(model=source.path, revision=commit, files=record)
    if new != old or marker.exists():
        marker.touch()
        for path in gone:
            path.unlink(missing_ok=True)
        marker.write_text(new.model_dump_json(indent=1))
        marker.replace(folder / RECORD)
    for path in leftovers(folder):
        path.unlink(missing_ok=True)
    if local:
        shutil.rmtree(folder / ".cache" / "huggingface", ignore_errors=True)
        with suppress(OSError):
            (folder / ".cache").rmdir()
    return fetched


def _download(source: ModelSource, folder: Path, commit: str, file: Any, bar: type[Any], *, local: bool) -> str:
    """Fetch one file and return its SHA-256. Raises ModelError when it is not what the Hub says of it."""
    path: Path = folder / file.rfilename
    if not sys.stderr.isatty():  # there the client draws bars
        log.info("fetching %s of %s, %.1f MB", file.rfilename, source, (file.size or 0) / 1e6)
    # What lies there is kept by the client, right or wrong, unless it is forced. The first time it may find
    # the file in its cache, under another revision.
    for again in (path.exists(), True):
        hf_hub_download(
            source.path, file.rfilename, revision=commit, local_dir=folder if local else None, force_download=again,
            tqdm_class=bar,
        )  # fmt: skip
        if sha256 := _sha256_if_right(path, file):
            return sha256
    raise ModelError(f"the model {source} arrived damaged: {file.rfilename} is not what the Hub says of it")


def _is_wanted(name: str) -> bool:
    return "/" not in name and any(fnmatch.fnmatchcase(name, pattern) for pattern in FILES)


def _point(reference: Path, commit: str) -> None:
    """Let a branch or tag mean a commit of the cache, for those who ask when the Hub is out of reach."""
    if not _COMMIT.match(reference.name) and not (reference.is_file() and reference.read_text() == commit):
        reference.parent.mkdir(parents=True, exist_ok=True)
        new = reference.with_name(f"{reference.name}.incomplete")
        new.write_text(commit)
        new.replace(reference)


def _sha256_if_right(path: Path, file: Any) -> str | None:
    """Return a file's SHA-256 if size and hash are those that the Hub lists, else None.

    Of large files the Hub lists the SHA-256, of small ones git's id, and some mirrors list neither.
    """
    if not path.is_file() or file.size not in {None, path.stat().st_size}:
        return None
    sha256 = sha256_of(path)
    if file.lfs:
        return sha256 if sha256 == file.lfs.sha256 else None
    content = path.read_bytes() if file.blob_id else b""
    git_id = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    return sha256 if file.blob_id in {None, git_id} else None


def _is_recorded(source: ModelSource, folder: Path) -> bool:
    """Return whether a folder holds the commit that a source names, whole."""
    with suppress(ModelError):
        record = record_of(folder)
        if record and (record.model, record.revision) == (source.path, source.revision):
            _check(source, folder)
            return True
    return False


def _check(source: ModelSource, folder: Path) -> None:
    """Raise ModelError for a folder in which a file is missing, cut off or not what was fetched."""
    record = record_of(folder)
    if wrong := next(faults_of(folder, record), None):
        name = record.model if record else "NAME"
        if Path(source.path).is_dir():
            how = f"{name} --into {folder}"
        else:
            how = f"{source.name}@{source.revision}" if source.revision else source.name
        raise ModelError(f"the model {source} is not whole: {wrong}; run `groundcam models fetch {how}`")


def _log_as_we_do() -> None:
    """The client brings a handler of its own, and its HTTP library writes a line for each request."""
    client = logging.getLogger("huggingface_hub")
    client.handlers.clear()
    client.propagate = True
    for library in ("httpx", "httpx2"):
        logging.getLogger(library).setLevel(logging.WARNING)


@contextmanager
def _one_sentence(source: ModelSource, into: Path | None) -> Iterator[None]:
    """Turn what the Hub's client raises into a ModelError."""
    try:
        yield
    except ModelError:
        raise
    except (OSError, ValueError, _HTTP_ERROR) as error:
        raise ModelError(f"the model {source} cannot be fetched: {_reason(error, source, into)}") from error


def _reason(error: Exception, source: ModelSource, into: Path | None) -> str:
    """Say in words what happened. The client's own texts hold request ids and whole URLs."""
    match error:
        case errors.GatedRepoError():
            return "it is gated; accept its conditions on the Hub and give a token in HF_TOKEN"
        case errors.RepositoryNotFoundError():
            return f"it is not on the Hub, or it is private and needs a token in HF_TOKEN{did_you_mean(source.path)}"
        case errors.RevisionNotFoundError():
            return f"the Hub has no revision {source.revision} of it"
        case errors.HfHubHTTPError():
            return f"the Hub answered with HTTP {error.response.status_code}"
        case errors.LocalEntryNotFoundError() | errors.OfflineModeIsEnabled() | _HTTP_ERROR():
            lacking = "" if into or cached_folder(source) else "it is not in the local cache, and "
            cause = type(error.__cause__ or error).__name__
            return f"{lacking}the Hub cannot be reached ({cause}){did_you_mean(source.path)}"
        case OSError(errno=errno.ENOSPC | errno.EDQUOT):
            return f"the disk of {into or constants.HF_HUB_CACHE} is full"
    return str(error).partition("\n")[0][:200]
