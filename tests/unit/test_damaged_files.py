"""Files that are cut off or damaged are called that, in a folder as well as alone."""

from collections.abc import Callable
from pathlib import Path

import pytest

from groundcam.offline.inputs import InputError, PassedOverError
from groundcam.offline.reading import pictures
from groundcam_producers.video import PictureFolder
from made_files import film, still


def spoilt(data: bytes) -> bytes:
    """Its description is whole, and nothing of its pictures."""
    begin = data.index(b"mdat") + 4
    end = data.index(b"moov") - 4 if data.index(b"moov") > begin else len(data)
    return data[:begin] + bytes(end - begin) + data[end:]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("half.mp4", lambda: film()[: len(film()) // 2]),
        ("no suffix", lambda: film()[: len(film()) // 2]),
        ("no pictures.mp4", lambda: spoilt(film())),
        ("head.mkv", lambda: film("matroska")[:40]),
        ("head.avi", lambda: film("avi", "mpeg4")[:60]),
        ("torn.ts", lambda: b"".join(b"G" + bytes(187) for _ in range(40))),
        ("head.wmv", lambda: film("asf", "wmv2")[:60]),
    ],
)
def test_a_film_that_is_cut_off_or_damaged_is_called_that(
    name: str, content: Callable[[], bytes], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content())
    with pytest.raises(InputError, match="it begins like a film, and not one picture in it can be decoded") as told:
        list(pictures(tmp_path / name, 10.0))
    assert not isinstance(told.value, PassedOverError), "it is told, whatever its name, and the exit code shows it"


def test_a_folder_names_what_is_damaged_in_it(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.jpg").write_bytes(still("JPEG"))
    (tmp_path / "b.jpg").write_bytes(still("JPEG")[:400])
    (tmp_path / "c\nd.png").write_bytes(still("PNG")[:400])
    with PictureFolder(tmp_path, 1.0) as folder:
        assert [one.is_corrupt for one in folder] == [False, True, True]
    assert f"passed over in the folder {tmp_path.name}: b.jpg (damaged), c\\nd.png (damaged)" in caplog.text
