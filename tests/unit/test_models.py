"""Models by short name: what is known of them, how they are fetched, and that no half of one is ever loaded.

The Hub's own client runs here, against a Hub on loopback.
"""

import errno
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from groundcam_worker.checkpoints import catalogue as models
from groundcam_worker.checkpoints import hub as client
from groundcam_worker.checkpoints.catalogue import KNOWN, RECORD, ModelSource, resolve
from groundcam_worker.checkpoints.folder_lock import LOCK
from groundcam_worker.checkpoints.progress import telling
from groundcam_worker.errors import ModelError
from hub_server import GATED, NOWHERE, REPOSITORY, WANTED, Hub, ask_at, groundcam, read_folder, small_files

INDEX = "model.safetensors.index.json"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub, and an empty cache."""
    server = Hub()
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    ask_at(monkeypatch, server.url)
    yield server
    server.close()


def test_every_short_name_means_a_repository_and_may_carry_a_revision() -> None:
    for name, known in KNOWN.items():
        if known.hub_id:
            assert resolve(name) == ModelSource(name, known.hub_id)
            assert resolve(f"{name}@v2") == ModelSource(name, known.hub_id, "v2")
    assert {"demo", "tiny", "base", "mm-tiny", "llmdet-tiny", "owlv2-base"} <= KNOWN.keys()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="neither") as refused:
        resolve("huge")
    assert all(name in str(refused.value) for name in KNOWN)


def test_every_figure_has_a_source_and_no_revision_is_in_the_code() -> None:
    assert all(known.coco.source and 0 < known.coco.percent < 100 for known in KNOWN.values() if known.coco)
    for module in (models, client):
        assert not re.search(r"\b[0-9a-f]{40}\b", Path(module.__file__ or "").read_text())


def test_the_newest_revision_is_fetched_and_recorded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a model needs and no more; afterwards it loads without the Hub, by its name and by its commit."""
    hub.publish(small_files(b"old" * 999))
    commit = hub.publish(small_files())
    done = client.fetch(resolve(REPOSITORY))
    assert (done.folder.name, done.revision, done.fetched) == (commit, commit, len(WANTED))
    assert sorted(hub.downloads()) == sorted(WANTED)
    record = json.loads((done.folder / RECORD).read_text())
    assert (record["model"], record["revision"]) == (REPOSITORY, commit)
    assert {name: file["size"] for name, file in record["files"].items()} == {
        name: len(small_files()[name]) for name in WANTED
    }
    assert client.commit_of(done.folder) == commit
    ask_at(monkeypatch, NOWHERE)
    for name in (REPOSITORY, f"{REPOSITORY}@{commit}"):
        assert client.local_folder(resolve(name)) == done.folder


def test_how_far_fetching_is_goes_up_to_all_of_it_and_no_more_often_than_a_hundred_times(hub: Hub) -> None:
    hub.publish(small_files(bytes(30_000_000)))
    parts: list[float] = []
    with telling(parts.append):
        client.fetch(resolve(REPOSITORY))
    assert (parts[0], parts[-1]) == (0.0, 1.0)
    assert parts == sorted(parts)
    assert 3 < len(parts) <= 102, "a file of 30 MB comes in pieces"
    again: list[float] = []
    with telling(again.append):
        client.fetch(resolve(REPOSITORY))
    assert again[-1] == 1.0, "what is there counts"


def test_a_folder_is_filled_with_the_model_alone(hub: Hub, tmp_path: Path) -> None:
    commit = hub.publish(small_files())
    done = client.fetch(resolve(REPOSITORY), tmp_path / "a" / "model")
    assert {path.name for path in done.folder.iterdir()} == WANTED | {RECORD, LOCK}
    assert client.local_folder(resolve(str(done.folder))) == done.folder
    assert client.commit_of(done.folder) == commit
    assert not (tmp_path / "cache").exists() or not any((tmp_path / "cache").rglob("*.safetensors"))


@pytest.mark.parametrize("is_plain", [False, True])
def test_what_is_there_is_not_fetched_again(hub: Hub, tmp_path: Path, *, is_plain: bool) -> None:
    """The Hub is asked for the newest revision, and for nothing at all where the commit is given."""
    into = tmp_path / "model" if is_plain else None
    commit = hub.publish(small_files())
    client.fetch(resolve(REPOSITORY), into)
    hub.requests.clear()
    assert client.fetch(resolve(REPOSITORY), into).fetched == 0
    assert hub.requests == [f"GET /api/models/{REPOSITORY}"]
    hub.requests.clear()
    assert client.fetch(resolve(f"{REPOSITORY}@{commit}"), into).fetched == 0
    assert hub.requests == []


def test_a_newer_revision_fetches_what_changed(hub: Hub, tmp_path: Path) -> None:
    """Into a folder; the cache keeps the older revision, and fetches no weights that it has."""
    hub.publish(small_files())
    client.fetch(resolve(REPOSITORY))
    client.fetch(resolve(REPOSITORY), tmp_path / "model")
    newer = hub.publish(small_files() | {"config.json": b'{"model_type": "newer"}'})
    hub.downloads()
    assert client.fetch(resolve(REPOSITORY)).folder.name == newer
    assert hub.downloads() == ["config.json"]
    assert client.fetch(resolve(REPOSITORY), tmp_path / "model").fetched == 1
    assert hub.downloads() == ["config.json"]
    assert client.commit_of(tmp_path / "model") == newer


def test_no_file_of_an_older_revision_stays_in_a_folder(hub: Hub, tmp_path: Path) -> None:
    """What the folder holds beside the model is left alone."""
    hub.publish(small_files())
    client.fetch(resolve(REPOSITORY), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    newer = small_files() | {"model-1.safetensors": b"half of it"}
    del newer["model.safetensors"], newer["tokenizer.json"]
    hub.publish(newer)
    client.fetch(resolve(REPOSITORY), tmp_path)
    assert read_folder(tmp_path).keys() == {
        "config.json",
        "model-1.safetensors",
        "vocab.txt",
        "notes.txt",
        RECORD,
        LOCK,
    }


def test_a_model_that_another_tool_has_fetched_is_taken_as_it_is(hub: Hub) -> None:
    from huggingface_hub import snapshot_download

    hub.publish(small_files())
    folder = Path(snapshot_download(REPOSITORY, allow_patterns=sorted(WANTED)))
    assert client.local_folder(resolve(REPOSITORY)) == folder
    assert client.fetch(resolve(REPOSITORY)).fetched == 0
    assert (folder / RECORD).is_file()


def test_a_connection_that_breaks_is_taken_up_where_it_broke(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    hub.publish(small_files())
    hub.cut.add("model.safetensors")
    client.fetch(resolve(REPOSITORY))
    assert f"model.safetensors from {len(small_files()['model.safetensors']) // 2}" in hub.downloads()


def test_a_newer_revision_that_was_cut_off_leaves_the_older_one_in_use(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = hub.publish(small_files())
    client.fetch(resolve(REPOSITORY))
    hub.publish(small_files(b"newer" * 999))
    hub.broken.add("model.safetensors")
    with pytest.raises(ModelError, match="503"):
        client.fetch(resolve(REPOSITORY))
    ask_at(monkeypatch, NOWHERE)
    assert client.local_folder(resolve(REPOSITORY)).name == older


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"half.incomplete": b""}, "half.incomplete was left by a download that was cut off"),
        ({INDEX: b'{"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}}'}, "2.safetensors is missing"),
        ({INDEX: b"half an ind"}, f"{INDEX} is damaged"),
        ({RECORD: b'{"model": "a/b"'}, f"{RECORD} cannot be read"),
    ],
)
def test_a_folder_without_a_record_is_looked_at_too(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    for name, content in {"config.json": b"{}", "1.safetensors": b"", **files}.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=re.escape(words)) as refused:
        client.local_folder(resolve(str(tmp_path)))
    assert str(tmp_path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"{REPOSITORY}@v9", "the Hub has no revision v9 of it"),
        ("somebody/other", "it is not on the Hub, or it is private and needs a token in HF_TOKEN"),
        (GATED, "it is gated; accept its conditions on the Hub"),
        ("some body/other", "some body/other"),
        ("demo", "is a folder of this machine: there is nothing to fetch"),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_sentence(hub: Hub, name: str, words: str) -> None:
    hub.publish(small_files())
    with pytest.raises(ModelError) as refused:
        client.fetch(resolve(name))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "http" not in str(refused.value)


def test_a_hub_out_of_reach_is_told_in_one_sentence(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a model is there, of which the newest revision cannot be known."""
    hub.publish(small_files())
    client.fetch(resolve(REPOSITORY))
    ask_at(monkeypatch, NOWHERE)
    with pytest.raises(ModelError, match=r"fetched: the Hub cannot be reached \(ConnectError\)$"):
        client.fetch(resolve(REPOSITORY))
    with pytest.raises(ModelError, match=r"not in the local cache, and the Hub cannot be reached \(ConnectError\)$"):
        client.fetch(resolve("somebody/other"))


def test_weights_in_other_formats_are_not_fetched(hub: Hub) -> None:
    hub.publish({"config.json": b"{}", "pytorch_model.bin": b"may hold code"})
    with pytest.raises(ModelError, match=r"no config\.json with \*\.safetensors; other formats are not loaded"):
        client.fetch(resolve(REPOSITORY))
    assert hub.downloads() == []


def test_bytes_that_the_hub_did_not_promise_are_refused(hub: Hub, tmp_path: Path) -> None:
    hub.publish(small_files())
    hub.spoiled.add("model.safetensors")
    with pytest.raises(ModelError, match=r"arrived damaged: model\.safetensors"):
        client.fetch(resolve(REPOSITORY), tmp_path / "model")
    assert not (tmp_path / "model" / RECORD).exists()


def test_a_folder_with_other_weights_is_left_alone(hub: Hub, tmp_path: Path) -> None:
    """They would be loaded with the fetched model's configuration, or instead of its weights."""
    hub.publish(small_files())
    (tmp_path / "other.safetensors").write_bytes(b"mine")
    with pytest.raises(ModelError, match=r"holds weights that are not of the model .*: other\.safetensors"):
        client.fetch(resolve(REPOSITORY), tmp_path)
    assert read_folder(tmp_path) == {"other.safetensors": b"mine", LOCK: b""}


def test_a_full_disk_is_told_in_one_sentence(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    hub.publish(small_files())
    monkeypatch.setattr(client, "hf_hub_download", full)
    with pytest.raises(ModelError, match=f"cannot be fetched: the disk of {tmp_path} is full$"):
        client.fetch(resolve(REPOSITORY), tmp_path)


def test_a_model_of_a_read_only_volume_needs_no_lock(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.publish(small_files())
    client.fetch(resolve(REPOSITORY))

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    assert client.fetch(resolve(REPOSITORY)).fetched == 0


def test_the_command_fetches_and_says_where_it_lies(hub: Hub, tmp_path: Path) -> None:
    """One line, with a log line for each file; the second time nothing is fetched."""
    commit = hub.publish(small_files())
    first = groundcam(hub.url, tmp_path, "fetch", REPOSITORY, "--revision", "main", "--into", tmp_path / "model")
    assert first.stdout == f"{tmp_path / 'model'} is at revision {commit}: {len(WANTED)} files fetched\n"
    assert all(f"fetching {name} of {REPOSITORY}" in first.stderr for name in WANTED)
    assert len(first.stderr.splitlines()) == len(WANTED)
    hub.downloads()
    second = groundcam(hub.url, tmp_path, "fetch", REPOSITORY, "--into", tmp_path / "model")
    assert second.stdout.endswith(f" is at revision {commit}: everything was there, nothing was fetched\n")
    assert (second.stderr, hub.downloads()) == ("", [])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["fetch", "huge"], "'huge' is neither one of demo, tiny, base"),
        (["fetch", "tiny"], r"tiny \(IDEA-Research/grounding-dino-tiny\) .* the Hub cannot be reached"),
    ],
)
def test_the_command_fails_with_one_sentence(tmp_path: Path, arguments: list[str], words: str) -> None:
    done = groundcam(NOWHERE, tmp_path, *arguments)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert re.search(words, done.stderr)
