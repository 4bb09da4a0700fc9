"""What a viewer of the live wall is sent, from which partitions, and in which form."""

import io
import json

import pytest
from PIL import Image as Pillow

from footage import frame, jpeg
from groundcam_runtime.pictures.decoding import decode_jpeg, smaller_jpeg
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import Detections, FrameId, encode
from groundcam_serve.api.preview import spread
from groundcam_serve.wall.frames import picture_in
from groundcam_serve.wall.looks import CameraLooks, Picture
from groundcam_serve.wall.messages import MOST_CHARACTERS, MOST_TILES, farewell, message, reply, said_in
from groundcam_serve.wall.minutes import Minutes, Place
from groundcam_serve.wall.places import Places
from groundcam_serve.wall.tiles import CREDIT, DEAF_S, Tiles, Wish
from groundcam_serve.wall.tiles import MOST_BYTES as ON_WAY
from walks import NS, answer, found

ONE, TWO = Partition("frames", 0), Partition("frames", 1)


def picture(seq: int, data: bytes = b"jpeg", run: str = "run-1") -> Picture:
    return Picture(FrameId("gate", run, seq), seq * NS, data, (640, 360))


def answered(seq: int) -> Detections:
    return answer(seq, float(seq), [found("person", (1.0, 2.0, 30.0, 40.0))])


# -- frames


def lying(value: bytes) -> Consumed:
    return Consumed(ONE, 7, 1000, b"gate", value, (), 0)


def test_a_frame_is_shown_with_its_name_whether_it_comes_in_our_envelope_or_as_a_bare_jpeg() -> None:
    data = jpeg(1, 64, 48)
    taken, bare = picture_in("gate", lying(encode(frame("gate", 3, data)))), picture_in("gate", lying(data))
    assert taken is not None
    assert bare is not None
    assert (taken.frame, taken.size, taken.data) == (FrameId("gate", "run-1", 3), (128, 96), data)
    assert (bare.frame, bare.size) == (FrameId("gate", "@frames/0", 7), (64, 48))
    assert bare.captured_at_ns == NS


@pytest.mark.parametrize("what", ["nothing", "cut", "no picture", "too many pixels"])
def test_what_a_worker_refuses_reaches_no_browser(what: str) -> None:
    data = jpeg(1, 64, 48)
    size = data.index(b"\xff\xc0") + 5
    huge = data[:size] + (60_000).to_bytes(2, "big") * 2 + data[size + 4 :]
    value = {
        "nothing": b"", "cut": data[:60], "no picture": encode(frame("gate", 3, b"\xff\xd8\xffno")), "too many pixels": huge,
    }[what]  # fmt: skip
    assert picture_in("gate", lying(value)) is None


def test_a_smaller_picture_has_the_width_that_was_asked_for_and_stands_upright() -> None:
    for width, height in ((1920, 1080), (700, 300), (300, 200)):
        shown = decode_jpeg(smaller_jpeg(jpeg(1, width, height), 320, 75))
        assert shown.shape[1] == min(320, width)
        assert shown.shape[0] == pytest.approx(shown.shape[1] * height / width, abs=1)
    buffer = io.BytesIO()
    block = Pillow.Exif()
    block[0x0112] = 6
    Pillow.new("RGB", (640, 360)).save(buffer, "JPEG", exif=block)
    assert decode_jpeg(smaller_jpeg(buffer.getvalue(), 90, 75)).shape[:2] == (160, 90)


# -- tiles


def due(tiles: Tiles, newest: dict[str, int], now_s: float = 0.0) -> list[str]:
    return [name for name, _ in tiles.due(newest, now_s)]


def test_a_tile_is_sent_no_more_than_the_viewer_has_room_for_and_what_is_left_out_is_counted() -> None:
    tiles = Tiles()
    tiles.watch({"gate": Wish(640)})
    for number in (1, 2):
        assert due(tiles, {"gate": number}) == ["gate"]
        assert tiles.sent("gate", number, 1000, 0.0) == 0
    assert CREDIT == 2
    assert due(tiles, {"gate": 3}) == []
    tiles.drawn("gate")
    assert due(tiles, {"gate": 7}) == ["gate"]
    assert tiles.sent("gate", 7, 1000, 0.0) == 4


def test_tiles_take_turns() -> None:
    tiles = Tiles()
    tiles.watch({"gate": Wish(640), "yard": Wish(640)})
    tiles.sent("gate", 1, 10, 1.0)
    assert due(tiles, {"gate": 2, "yard": 1}, 2.0) == ["yard", "gate"]


def test_a_tile_of_another_size_is_sent_its_picture_again() -> None:
    tiles = Tiles()
    tiles.watch({"gate": Wish(320)})
    tiles.sent("gate", 1, 10, 0.0)
    assert due(tiles, {"gate": 1}) == []
    tiles.watch({"gate": Wish(1280)})
    assert due(tiles, {"gate": 1}) == ["gate"]


def test_who_wishes_for_fewer_pictures_gets_fewer() -> None:
    tiles = Tiles()
    tiles.watch({"gate": Wish(320, fps=2)})
    tiles.sent("gate", 1, 10, 10.0)
    assert due(tiles, {"gate": 2}, 10.4) == []
    assert due(tiles, {"gate": 2}, 10.5) == ["gate"]


def test_a_viewer_gets_a_bounded_number_of_bytes_ahead() -> None:
    tiles = Tiles()
    tiles.watch({name: Wish(0) for name in "abc"})
    tiles.sent("a", 1, ON_WAY, 0.0)
    assert due(tiles, {"b": 1}) == []
    tiles.drawn("a")
    assert due(tiles, {"b": 1}) == ["b"]
    tiles.watch({"b": Wish(0)})
    assert tiles.sent("a", 2, 10, 0.0) is None, "it is not there any more"


def test_a_viewer_that_takes_nothing_is_deaf() -> None:
    tiles = Tiles()
    tiles.watch({"gate": Wish(320)})
    assert not tiles.is_deaf(1000.0)
    tiles.sent("gate", 1, 10, 1000.0)
    assert not tiles.is_deaf(1000.0 + DEAF_S)
    assert tiles.is_deaf(1000.1 + DEAF_S)
    tiles.drawn("gate")
    tiles.drawn("gate")
    assert not tiles.is_deaf(5000.0)
    tiles.sent("gate", 2, 10, 5000.0)
    assert due(tiles, {"gate": 3}) == ["gate"], "what was acknowledged too often gives no more room"


# -- places


def test_nothing_is_read_where_nobody_looks() -> None:
    assert Places().wanted(0.0) == frozenset()


def test_a_camera_is_searched_for_everywhere_until_it_is_found_then_read_where_it_is() -> None:
    places = Places()
    places.watch(["gate", "yard"], 0.0)
    assert places.wanted(0.0) is None
    places.heard("gate", ONE, 0.5)
    assert places.wanted(0.5) is None
    places.answered("yard", TWO)
    assert places.wanted(1.0) == {ONE, TWO}
    places.watch(["yard"], 2.0)
    assert places.wanted(2.0) == {TWO}


def test_one_that_is_nowhere_is_searched_for_now_and_then() -> None:
    places = Places()
    places.watch(["gate"], 0.0)
    searching = sum(places.wanted(float(second)) is None for second in range(600))
    assert searching == 100


def test_one_that_moved_is_found_again() -> None:
    places = Places()
    places.watch(["gate"], 0.0)
    places.heard("gate", ONE, 1.0)
    assert places.wanted(5.0) == {ONE}
    assert places.wanted(6.0) is None
    places.heard("gate", TWO, 6.5)
    assert places.wanted(7.0) == {TWO}


# -- messages


def test_what_is_said_of_a_picture_comes_with_it() -> None:
    looks = CameraLooks()
    looks.picture(picture(5, b"\xff\xd8picture"), 0.0)
    looks.answer(answered(5), 0.1)
    assert looks.newest is not None
    data = message(looks.newest, b"\xff\xd8scaled", 3, 6 * NS)
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    assert data[4 + length :] == b"\xff\xd8scaled"
    assert (header["seq"], header["skipped"], header["source"], header["age_ms"]) == (5, 3, [640, 360], 1000)
    assert header["answer"]["objects"] == [{"label": "person", "class": 0, "score": 0.5, "box": [1.0, 2.0, 30.0, 40.0]}]
    assert header["gap"] is None


@pytest.mark.parametrize(
    "text",
    [
        "", "no json", "[]", '{"watch": {"../etc": {"width": 1}}}', '{"watch": {"gate": {"width": -1}}}',
        '{"watch": {"gate": {"width": 320, "fps": 0}}}', '{"drawn": 7}', '{"shout": 1}', '{"watch": {"gate": {}}}',
        json.dumps({"watch": {f"c{n}": {"width": 1} for n in range(MOST_TILES + 1)}}), " " * MOST_CHARACTERS + "{}",
    ],
)  # fmt: skip
def test_a_page_that_says_something_else_is_told_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]{5,200}$"):
        said_in(text)


def test_a_page_that_asks_for_a_reply_is_told_which_of_its_cameras_it_gets() -> None:
    assert said_in('{"watch": {}, "reply": true}').reply
    assert not said_in('{"watch": {}}').reply
    assert json.loads(reply({"yard", "gate"})) == {"watching": ["gate", "yard"]}
    assert json.loads(farewell(1013, "no room")) == {"closing": 1013, "reason": "no room"}


# -- pictures of the last minute


def test_of_a_minute_a_frame_each_second_is_known() -> None:
    minutes = Minutes()
    for number in range(1000):
        minutes.add("gate", Place(ONE, number, number * NS // 10))
    places = minutes.of("gate", 100 * NS)
    assert len(places) == 60
    assert places[-1].offset == 990
    assert minutes.of("yard", 0) == []


def test_a_preview_spreads_over_the_minute() -> None:
    places = [Place(ONE, number, number) for number in range(60)]
    chosen = [one.offset for one in spread(places, 12)]
    assert (chosen[0], chosen[-1], len(set(chosen))) == (0, 59, 12)
    assert spread(places[:3], 12) == places[:3]
    assert [one.offset for one in spread(places, 1)] == [0]
