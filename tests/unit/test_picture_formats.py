"""Files of pictures: their size is known before anything is decoded, and half a file is none."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from groundcam.offline.inputs import InputError, Inputs, PassedOverError, Picture, every_picture, expand, names
from groundcam.offline.reading import reader
from groundcam_runtime.pictures.decoding import decode_picture
from groundcam_runtime.pictures.errors import PictureError
from groundcam_runtime.pictures.formats import picture_header

PICTURE = cv2.resize(np.random.default_rng(5).integers(0, 255, (6, 9, 3), dtype=np.uint8), (97, 61))
ALPHA = np.dstack([PICTURE, PICTURE[..., 0]])
LOSSLESS = [cv2.IMWRITE_WEBP_QUALITY, 101]
MOST = 33_177_600


def encoded(suffix: str, image: np.ndarray = PICTURE, options: list[int] | None = None) -> bytes:
    return bytes(cv2.imencode(suffix, image, options or [])[1])


FILES = {
    "jpeg": encoded(".jpg"),
    "progressive": encoded(".jpg", options=[cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
    "png": encoded(".png"),
    "png with alpha": encoded(".png", ALPHA),
    "png of 16 bits": encoded(".png", PICTURE.astype(np.uint16) * 257),
    "grey png": encoded(".png", PICTURE[..., 0]),
    "webp": encoded(".webp", options=[cv2.IMWRITE_WEBP_QUALITY, 70]),
    "lossless webp": encoded(".webp", options=LOSSLESS),
    "webp with alpha": encoded(".webp", ALPHA, [cv2.IMWRITE_WEBP_QUALITY, 70]),
    "bmp": encoded(".bmp"),
    "grey bmp": encoded(".bmp", PICTURE[..., 0]),
}


@pytest.mark.parametrize("name", FILES)
def test_every_usual_file_is_read_and_its_header_tells_its_size(name: str) -> None:
    header = picture_header(FILES[name])
    assert (header.width, header.height) == (97, 61)
    assert decode_picture(FILES[name]).shape == (61, 97, 3)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_anywhere_is_refused(name: str) -> None:
    whole = FILES[name]
    for length in range(0, len(whole) - 12, max(1, len(whole) // 60)):
        with pytest.raises(PictureError):
            decode_picture(whole[:length])
    with pytest.raises(PictureError, match="its end is missing"):
        decode_picture(whole[: len(whole) * 2 // 3])


@pytest.mark.parametrize("name", FILES)
def test_what_a_phone_or_a_camera_puts_behind_a_picture_is_passed_over(name: str) -> None:
    assert decode_picture(FILES[name] + bytes(5000) + b"ftypmp42" * 900).shape == (61, 97, 3)


@pytest.mark.parametrize("name", FILES)
def test_a_picture_of_too_many_pixels_is_refused_by_its_header(name: str) -> None:
    assert decode_picture(FILES[name], 97 * 61).shape == (61, 97, 3)
    with pytest.raises(PictureError, match="it has 97x61 pixels, more than 5916"):
        decode_picture(FILES[name], 97 * 61 - 1)


def test_a_half_that_is_followed_by_padding_is_still_a_half() -> None:
    whole = FILES["jpeg"]
    with pytest.raises(PictureError, match="its end is missing"):
        decode_picture(whole[: len(whole) // 2] + bytes(70_000))


@pytest.mark.parametrize("damage", range(40))
def test_damaged_files_give_a_picture_or_a_sentence(damage: int) -> None:
    random = np.random.default_rng(damage)
    for data in FILES.values():
        broken = bytearray(data)
        for place in random.integers(0, len(broken), 8):
            broken[place] = random.integers(0, 256)
        try:
            image = decode_picture(bytes(broken), MOST)
        except PictureError:
            continue
        assert image.shape[0] * image.shape[1] <= MOST


def png_bomb(width: int, height: int) -> bytes:
    """A PNG of one bit a pixel that is all zeros."""
    rows = zlib.compress(bytes(height * (1 + (width + 7) // 8)), 9)

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_bad_files_among_good_ones_are_sentences_and_end_nothing(tmp_path: Path) -> None:
    files = {
        "a.jpg": FILES["jpeg"], "b.png": png_bomb(20_000, 20_000), "c.jpg": b"", "d.webp": FILES["webp"][:99],
        "e.bmp": b"BM", "f.jpg": b"II*\x00" + bytes(100), "g.mp4": b"no video", "h.png": FILES["png"],
    }  # fmt: skip
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "i.jpg").symlink_to(tmp_path / "nowhere")
    paths = [*(tmp_path / name for name in files), tmp_path / "i.jpg", tmp_path]
    found = list(every_picture(Inputs(tuple(paths)), reader(1.0)))
    said = {str(one).removeprefix(f"{tmp_path}/").split()[0] for one in found if isinstance(one, InputError)}
    assert said == {"b.png", "c.jpg", "d.webp", "e.bmp", "f.jpg", "g.mp4", "i.jpg", str(tmp_path)}
    assert len(found) == len(paths)
    assert "20000x20000 pixels, more than" in str(found[1])


def test_a_file_that_is_larger_than_its_pixels_could_be_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.jpg").open("wb") as file:
        file.write(FILES["jpeg"])
        file.truncate(10**12)
    assert "is larger than the" in str(next(every_picture(Inputs((tmp_path / "huge.jpg",)), reader(1.0))))


def test_a_folder_gives_its_files_and_waits_for_no_pipe(tmp_path: Path) -> None:
    import os

    (tmp_path / "a.jpg").write_bytes(FILES["jpeg"])
    (tmp_path / "sub.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    found = expand([tmp_path])
    assert found.files == (tmp_path / "a.jpg",)
    assert found.folders == ((tmp_path / "sub.jpg", "it is a folder"),)


def test_what_is_no_picture_is_passed_over_in_a_folder_and_a_fault_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(FILES["png"])
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "worse.jpg").write_text("no picture")
    (tmp_path / ".hidden").write_text("never looked at")
    of_folder = list(every_picture(expand([tmp_path]), reader(1.0)))
    assert [type(one) for one in of_folder] == [Picture, PassedOverError, InputError]
    (named,) = every_picture(expand([tmp_path / "notes.txt"]), reader(1.0))
    assert type(named) is InputError
    assert "notes.txt cannot be read: it is a picture or film of no known kind" in str(named)


def test_many_files_get_names_of_their_own_in_linear_time() -> None:
    paths = [Path(f"/{number % 5}/{number // 10}.jpg") for number in range(40_000)]
    called = names(paths)
    assert set(called) == set(paths)
    assert len(set(called.values())) == len(called)
    same = [Path(f"/{number}/one/x.jpg") for number in range(20_000)]
    assert list(names(same).values())[:3] == ["one-x.jpg", "one-x.jpg-2", "one-x.jpg-3"]
    assert len(set(names(same).values())) == len(same)
