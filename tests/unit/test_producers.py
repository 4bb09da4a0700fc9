"""A camera's own parts: pace, feed, folders, and files of every odd kind."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import Any, Self

import av
import numpy as np
import pytest
from pydantic import SecretStr, ValidationError

from footage import jpeg
from groundcam.devkafka.broker import free_port
from groundcam_producers.errors import SourceError, SourceHungError, SourceUnusableError
from groundcam_producers.feed import End, Feed, Feeds
from groundcam_producers.films.decoded import Decoded
from groundcam_producers.jpeg import encode
from groundcam_producers.pace import Pace
from groundcam_producers.scaling import Scaler
from groundcam_producers.settings import CameraSettings, ProduceSettings
from groundcam_producers.video import PictureFolder, VideoSource
from groundcam_runtime.pictures.decoding import decode_jpeg


def write_video(
    path: Path, pixel_format: str = "yuv420p", codec: str = "libx264", frames: int = 5, **metadata: str
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixel_format
        container.metadata.update(metadata)
        for _ in range(frames):
            picture = av.VideoFrame.from_ndarray(np.full((48, 64, 3), (200, 60, 20), np.uint8), "rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("pixel_format", "codec"),
    [
        ("yuv420p", "libx264"),
        ("yuv444p", "libx264"),
        ("yuvj420p", "mjpeg"),
        ("yuv420p10le", "libx264"),
        ("bgr0", "ffv1"),
    ],
)
def test_colours_come_through_every_pixel_format(tmp_path: Path, pixel_format: str, codec: str) -> None:
    with VideoSource(
        str(write_video(tmp_path / "clip.mkv", pixel_format, codec)), is_live=False, timeout_s=1
    ) as source:
        decoded = next(iter(source))
    data = encode(Scaler(None).planes(decoded), 95, 10**6)
    assert data is not None
    assert np.abs(decode_jpeg(data).mean((0, 1)) - (200, 60, 20)).max() < 6


@pytest.mark.parametrize("size", [(65, 49), (1, 1), (33, 480)])
def test_odd_sizes_are_made_even(size: tuple[int, int]) -> None:
    picture = av.VideoFrame.from_ndarray(np.zeros((size[1], size[0], 3), np.uint8), "rgb24")
    data = encode(Scaler((320, 240)).planes(Decoded(picture, 0.0, is_corrupt=False)), 85, 10**6)
    assert data is not None
    assert all(side % 2 == 0 for side in decode_jpeg(data).shape[:2])


def test_a_jpeg_is_made_smaller_or_given_up() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (240, 320, 3), dtype=np.uint8)
    planes = Scaler(None).planes(Decoded(av.VideoFrame.from_ndarray(noise, "rgb24"), 0.0, is_corrupt=False))
    large = encode(planes, 95, 10**6)
    assert large is not None
    smaller = encode(planes, 95, len(large) // 2)
    assert smaller is not None
    assert len(smaller) <= len(large) // 2
    assert encode(planes, 95, 500) is None


def test_a_damaged_video_is_closed_in_the_middle_and_never_hangs(tmp_path: Path) -> None:
    """Threads of FFmpeg's that complain, while the decoder is freed under the interpreter's lock."""
    clip, random, noise = tmp_path / "clip.mkv", Random(1), np.random.default_rng(0)
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.options = 320, 240, "yuv420p", {"g": "10"}
        for _ in range(60):
            picture = noise.integers(0, 255, (240, 320, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
    damaged = bytearray(clip.read_bytes())
    for _ in range(12_000):
        damaged[random.randrange(3000, len(damaged))] ^= 1 << random.randrange(8)
    clip.write_bytes(damaged)
    program = (
        "import sys; from contextlib import suppress; from pathlib import Path\n"
        "from groundcam.offline.inputs import InputError; from groundcam.offline.reading import pictures\n"
        "for count in range(300):\n"
        "    with suppress(InputError):\n"
        "        for index, _ in enumerate(pictures(Path(sys.argv[1]), 1000.0, keep_damaged=True)):\n"
        "            if index >= count % 7: break\n"
        "import av.logging; print('closed', av.logging.get_level())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, clip], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "closed None", done.stderr


def test_an_error_says_what_ffmpeg_says_although_its_log_is_off(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError, match="Invalid data found when processing input") as caught:
        VideoSource(str(tmp_path / "clip.mp4"), is_live=False, timeout_s=1)
    assert caught.value.kind == "InvalidDataError"
    with pytest.raises(SourceError, match="No such file"):
        VideoSource(str(tmp_path / "absent.mp4"), is_live=False, timeout_s=1)
    with pytest.raises(SourceError, match="Connection refused"):
        VideoSource(f"rtsp://127.0.0.1:{free_port()}/x", is_live=True, timeout_s=1)


def test_a_title_in_another_encoding_does_not_matter(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "clip.mkv", title="Entree X")
    clip.write_bytes(clip.read_bytes().replace(b"Entree X", "Entrée X".encode("latin-1")))
    with VideoSource(str(clip), is_live=False, timeout_s=1) as source:
        assert len(list(source)) == 5


@pytest.mark.parametrize("content", [b"", b"no video", b"\x00" * 1000])
def test_what_is_no_video_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.mp4").write_bytes(content)
    with pytest.raises(SourceError), VideoSource(str(tmp_path / "clip.mp4"), is_live=False, timeout_s=1) as source:
        next(iter(source))


def test_a_bad_picture_in_a_folder_is_numbered_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "b.jpg").write_bytes(b"")  # is nothing, and passed over
    (tmp_path / "c.jpg").mkdir()
    (tmp_path / "d.png").write_bytes(b"\x89PNG\r\n\x1a\n nonsense")
    (tmp_path / "e.jpg").write_bytes(jpeg())
    with PictureFolder(tmp_path, 2.0) as folder:
        found = list(folder)
    assert [(one.time_s, one.is_corrupt) for one in found] == [(0.0, False), (0.5, True), (1.0, False)]


def test_an_empty_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceUnusableError, match="no picture"):
        PictureFolder(tmp_path, 1.0)


def test_a_file_is_played_at_its_own_speed() -> None:
    pace = Pace()
    assert pace.wait_s(100.0, now=5.0) == 0.0
    assert pace.wait_s(100.5, now=5.1) == pytest.approx(0.4)
    assert pace.wait_s(100.5, now=7.0) == 0.0  # late
    assert pace.wait_s(50.0, now=7.0) == 0.0  # a jump back
    assert pace.wait_s(50.5, now=7.0) == pytest.approx(0.5)
    assert pace.wait_s(3650.0, now=7.5) == 0.0  # a jump ahead
    assert pace.wait_s(3651.0, now=7.5) == pytest.approx(1.0)


class Stub:
    """A source that gives pictures until it is told to hang, to end or to fail."""

    fps: float | None = 25.0

    def __init__(self, end: Any) -> None:
        self.end = end
        self.closed = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.closed.set()

    def __iter__(self) -> Any:
        yield Decoded(None, 0.0, is_corrupt=False)
        if isinstance(self.end, Exception):
            raise self.end
        if isinstance(self.end, threading.Event):
            self.end.wait(30)


def drained(feed: Feed) -> list[object]:
    found = []
    while not found or isinstance(found[-1], Decoded):
        got = feed.take(5)
        assert got is not None
        found.append(got)
    return found


def test_a_feed_tells_how_it_ended() -> None:
    stub = Stub(None)
    assert isinstance(drained(Feed(lambda: stub))[-1], End)  # type: ignore[arg-type,return-value]
    assert stub.closed.wait(5)
    for error in (SourceError("refused", "X"), ValueError("odd")):
        feed = Feed(lambda end=error: Stub(end))  # type: ignore[misc,arg-type,return-value]
        assert isinstance(feed.take(5), Decoded)
        with pytest.raises(SourceError):
            feed.take(5)


def test_a_source_that_hangs_holds_up_nobody() -> None:
    hung = threading.Event()
    feed = Feed(lambda: Stub(hung))  # type: ignore[arg-type,return-value]
    assert isinstance(feed.take(5), Decoded)
    assert feed.take(0.3) is None
    assert feed.silent_s > 0.2
    feed.stop()
    hung.set()


def test_a_source_that_does_not_let_go_is_opened_again_for_a_while_and_then_only_by_a_new_process() -> None:
    """Each opening that hangs keeps a thread, and perhaps a core."""
    hung = threading.Event()
    feeds = Feeds(hang_s=0.3)
    feed = feeds.begin(lambda: Stub(hung), lambda: None)  # type: ignore[arg-type,return-value]
    assert isinstance(feed.take(5), Decoded)
    feed.stop()
    feeds.begin(lambda: Stub(hung), lambda: None).stop()  # type: ignore[arg-type,return-value]
    until = time.monotonic() + 20
    while feed.silent_s <= 0.3:
        assert time.monotonic() < until
    with pytest.raises(SourceHungError, match="has not let go"):
        feeds.begin(lambda: Stub(hung), lambda: None)  # type: ignore[arg-type,return-value]
    hung.set()
    while not feed.is_over:
        assert time.monotonic() < until


def test_producers_that_look_after_named_cameras_know_the_others_too() -> None:
    cameras = {name: CameraSettings(url=SecretStr("rtsp://h/")) for name in ("gate", "yard", "roof")}
    settings = ProduceSettings(cameras=cameras, only=("yard",))
    assert list(settings.own_cameras) == ["yard"]
    assert list(settings.cameras) == ["gate", "yard", "roof"]
    with pytest.raises(ValidationError, match="only: there is no camera lift"):
        ProduceSettings(cameras=cameras, only=("lift",))


@pytest.mark.parametrize("text", ["8/8", "2", "-1/3", "a/b", "1/0"])
def test_a_shard_that_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="is not like 2/8"):
        ProduceSettings.model_validate({"shard": text})
