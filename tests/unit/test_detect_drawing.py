"""What `detect --annotate` writes, whatever files are called and whatever cannot be encoded; where films begin."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from groundcam.offline.annotating import Drawing
from groundcam.offline.inputs import Inputs, NotDrawnError, Picture
from groundcam.offline.reading import reader
from groundcam.offline.report import Troubles
from groundcam_producers.films.writer import VideoWriter
from groundcam_runtime.pictures import decoding
from groundcam_runtime.pictures.drawing import write
from groundcam_runtime.pictures.image import Image


def picture(width: int = 64, height: int = 48) -> Image:
    return np.full((height, width, 3), 90, np.uint8)


def film(path: Path, begin_s: float = 0.0, pictures: int = 12) -> Path:
    with VideoWriter(path, (64, 48), fps=5) as out:
        for n in range(pictures):
            out.write(np.full((48, 64, 3), 10 * n, np.uint8), begin_s + n / 5)
    return path


def test_a_picture_is_written_under_any_name_that_a_file_can_have(tmp_path: Path) -> None:
    """Names from old archives are in other encodings; OpenCV itself ends the process on them."""
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/b\xe9.png"))
    write(odd, picture())
    assert [os.fsencode(one.name) for one in tmp_path.iterdir()] == [b"b\xe9.png"]
    assert odd.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OSError, match="could not be written"):
        write(tmp_path / "wide.jpg", picture(70_000, 8))


def frames(path: Path, width: int, count: int = 4) -> Iterator[Picture]:
    for n in range(count):
        yield Picture(path, picture(width), n / 5)


def test_a_film_that_cannot_be_encoded_is_told_once_and_costs_no_other_file_anything(tmp_path: Path) -> None:
    """H.264 has no pictures wider than 16,384 pixels."""
    paths = [tmp_path / name for name in ("a.mp4", "wide.mp4", "b.mp4", "c.png")]
    drawing = Drawing(tmp_path / "out", {path: path.stem for path in paths}, ())
    told: list[NotDrawnError] = []
    for path, width in zip(paths, (64, 17_000, 64, 64), strict=True):
        shown = frames(path, width) if path.suffix == ".mp4" else iter([Picture(path, picture())])
        for one in shown:
            try:
                drawing.add(one, ())
            except NotDrawnError as error:
                told.append(error)
    drawing.finish()
    drawing.finish()
    assert [one.path.name for one in told] == ["wide.mp4"]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"a.mp4", "a.png", "wide.png", "b.mp4", "b.png", "c.png"}


def test_a_file_of_which_many_pictures_fail_is_one_file(tmp_path: Path) -> None:
    troubles = Troubles(Inputs(files=[tmp_path / "a.mp4", tmp_path / "b.mp4"], folders=[]))
    for _ in range(30):
        troubles.add(RuntimeError("it cannot be answered"), tmp_path / "a.mp4")
    assert troubles.lines(5) == ["1 of 2 files could not be read or answered whole"]
    assert troubles.has_failed


@pytest.mark.parametrize("begin_s", [0.0, 3600.0])
def test_a_films_time_is_the_place_in_it_whatever_its_clock_showed_when_it_began(
    tmp_path: Path, begin_s: float
) -> None:
    """Recorders write the clock that runs on; a player counts from the beginning."""
    path = film(tmp_path / "recording.ts", begin_s)
    seen = list(reader(5, 10**6, keep_damaged=False)(path))
    assert [one.time_s for one in seen] == pytest.approx([n / 5 for n in range(12)], abs=0.02)


def test_an_animation_is_decoded_in_portions_and_none_of_it_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    animation = cv2.Animation()
    pictures = [np.full((36, 64, 4), (0, 0, 0, 255), np.uint8) for _ in range(60)]
    for n, frame in enumerate(pictures):
        frame[:, n] = 255
    animation.frames = pictures
    animation.durations = np.full(60, 40, np.int32)
    data = cv2.imencodeanimation(".webp", animation)[1].tobytes()
    asked: list[int] = []
    real = cv2.imdecodeanimation
    whole = [image for _, image in decoding.animation(data)]
    assert len(whole) == 60

    def counted(buffer: object, start: int, count: int) -> object:
        asked.append(count)
        return real(buffer, start=start, count=count)

    monkeypatch.setattr(cv2, "imdecodeanimation", counted)
    for at_once, portions in ((7, 9), (10, 7), (60, 2), (1000, 1)):
        asked.clear()
        monkeypatch.setattr(decoding, "ANIMATION_BYTES", at_once * 4 * 36 * 64)
        seen = list(decoding.animation(data))
        assert [time_s for time_s, _ in seen] == pytest.approx([n * 0.04 for n in range(60)])
        assert all((image == known).all() for (_, image), known in zip(seen, whole, strict=True))
        assert asked == [at_once] * portions
