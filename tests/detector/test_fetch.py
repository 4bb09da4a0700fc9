"""A fetched model becomes a detector; half of one, or a damaged one, never does.

A small checkpoint with random weights, fetched by the Hub's own client from a Hub on loopback.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

import checkpoints
from groundcam_worker.checkpoints import hub as client
from groundcam_worker.checkpoints.catalogue import RECORD, resolve
from groundcam_worker.checkpoints.folder_lock import LOCK, alone_in
from groundcam_worker.errors import ModelError
from groundcam_worker.run import load_detector
from groundcam_worker.settings import WorkSettings
from hub_server import NOWHERE, REPOSITORY, Hub, ask_at, environment, read_folder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return read_folder(checkpoints.save(tmp_path_factory.mktemp("small") / "small", checkpoints.small_config()))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes]) -> Iterator[Hub]:
    """A Hub with the small model, and an empty cache."""
    server = Hub()
    server.publish(files)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    ask_at(monkeypatch, server.url)
    yield server
    server.close()


@pytest.fixture(params=["folder", "cache"])
def into(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "model" if request.param == "folder" else None


def revision(into: Path | None) -> str | None:
    """What a detector calls the revision of the model that it has loaded. Raises ModelError."""
    return load_detector(WorkSettings(model=str(into or REPOSITORY), device="cpu")).model.revision


def refusal(into: Path | None) -> str:
    """The one sentence that loading is refused with."""
    with pytest.raises(ModelError) as refused:
        revision(into)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_fetched_model_is_loaded_without_the_hub(
    hub: Hub, into: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answers name the commit."""
    commit = client.fetch(resolve(REPOSITORY), into).revision
    ask_at(monkeypatch, NOWHERE)
    assert revision(into) == commit == hub.names["main"]


def test_a_model_that_is_not_there_is_fetched_by_who_loads_it(hub: Hub) -> None:
    assert revision(None) == hub.names["main"]
    assert client.fetch(resolve(REPOSITORY)).fetched == 0


def test_a_download_that_was_cut_off_is_not_loaded_and_is_done_again(
    hub: Hub, into: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.cut.add("model.safetensors")
    hub.broken.add("model.safetensors")
    with pytest.raises(ModelError, match="cannot be fetched: the Hub answered with HTTP 503"):
        client.fetch(resolve(REPOSITORY), into)
    ask_at(monkeypatch, NOWHERE)
    if into:
        left = f"{RECORD}.incomplete was left by a download that was cut off"
        assert f"{left}; run `groundcam models fetch NAME --into {into}`" in refusal(into)
        (into / "other.incomplete").touch()
    else:
        assert "it is not in the local cache, and the Hub cannot be reached" in refusal(into)
    ask_at(monkeypatch, hub.url)
    hub.broken.clear()
    hub.downloads()
    commit = client.fetch(resolve(REPOSITORY), into).revision
    assert "config.json" not in hub.downloads()
    assert revision(into) == commit


def test_a_fetch_that_was_killed_is_not_loaded_and_is_done_again(
    hub: Hub, tmp_path: Path, files: dict[str, bytes]
) -> None:
    into = tmp_path / "model"
    hub.held.add("model.safetensors")
    process = subprocess.Popen(
        [sys.executable, "-m", "groundcam", "models", "fetch", REPOSITORY, "--into", str(into)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(hub.url, tmp_path),
    )  # fmt: skip
    assert hub.halfway.wait(60)
    process.kill()
    process.wait()
    assert "was left by a download that was cut off" in refusal(into)
    hub.held.clear()
    commit = client.fetch(resolve(REPOSITORY), into).revision
    assert revision(into) == commit
    assert {path.name for path in into.iterdir()} - {LOCK} == {*files, RECORD}


def _missing(path: Path) -> None:
    path.unlink()


def _short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def _flipped(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


@pytest.mark.parametrize("name", ["model.safetensors", "vocab.txt"])
@pytest.mark.parametrize(
    ("damage", "words"), [(_missing, "is missing"), (_short, "has 1000 bytes instead of"), (_flipped, "is damaged")]
)
def test_a_damaged_model_is_refused_with_the_way_out_which_repairs_it(
    hub: Hub, into: Path | None, files: dict[str, bytes], name: str, damage: Callable[[Path], None], words: str
) -> None:
    folder = client.fetch(resolve(REPOSITORY), into).folder
    hub.downloads()
    damage((folder / name).resolve())
    way_out = f"run `groundcam models fetch {REPOSITORY}" + (f" --into {into}`" if into else "`")
    sentence = refusal(into)
    assert f"is not whole: {name} {words}" in sentence
    assert sentence.endswith(way_out)
    assert client.fetch(resolve(REPOSITORY), into).fetched == 1
    assert hub.downloads() == [name]
    assert client.local_folder(resolve(str(into or REPOSITORY))) == folder
    assert (folder / name).read_bytes() == files[name]


def test_a_second_fetch_waits_for_the_first(hub: Hub, into: Path | None, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        with alone_in(into or tmp_path / "cache" / ".locks" / f"models--{REPOSITORY.replace('/', '--')}"):
            second = pool.submit(client.fetch, resolve(REPOSITORY), into)
            with pytest.raises(TimeoutError):
                second.result(0.5)
            assert not list(tmp_path.rglob("config.json"))
        assert second.result(60).fetched > 0
