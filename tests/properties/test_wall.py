"""Whatever comes in whatever order, a picture is shown with its own answer, and the wall never goes back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from groundcam_schemas import FrameId
from groundcam_serve.wall.looks import CameraLooks, Look, Picture
from groundcam_serve.wall.tiles import CREDIT, Tiles, Wish
from walks import NS, answer, gap

FRAMES = 30
steps = st.one_of(
    st.tuples(st.just("picture"), st.integers(0, FRAMES - 1)),
    st.tuples(st.just("answer"), st.integers(0, FRAMES - 1)),
    st.tuples(st.just("gap"), st.integers(0, FRAMES - 1)),
    st.tuples(st.just("wait"), st.integers(1, 30)),
)


@settings(max_examples=300)
@given(st.lists(steps, max_size=80))
def test_a_look_is_of_one_frame_and_looks_never_go_back(story: list[tuple[str, int]]) -> None:
    looks, now_s = CameraLooks(), 0.0
    answers: set[int] = set()
    before: Look | None = None
    for kind, number in story:
        match kind:
            case "picture":
                picture = Picture(FrameId("gate", "run-1", number), number * NS, b"%d" % number, (64, 36))
                changed = looks.picture(picture, now_s)
            case "answer":
                answers.add(number)
                changed = looks.answer(answer(number, 0.0, []), now_s)
            case "gap":
                changed = looks.gap(gap(number, number), now_s)
            case _:
                now_s += number / 10
                changed = looks.wait(now_s)
        look = looks.newest
        assert changed == (look is not before)
        if look is not None and changed:
            seq = look.picture.frame.seq
            assert look.picture.data == b"%d" % seq
            assert look.answer is None or (look.answer.frame.seq == seq and seq in answers)
            assert not (look.answer and look.gap)
            if before is not None:
                assert look.number == before.number + 1
                assert seq >= before.picture.frame.seq
                assert (look.picture.data is before.picture.data) == (seq == before.picture.frame.seq)
        before = look


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from(["send", "drawn", "watch"]), st.integers(0, 3)), max_size=60))
def test_no_tile_has_more_on_its_way_than_its_credit(story: list[tuple[str, int]]) -> None:
    tiles, on_way = Tiles(), dict.fromkeys(range(4), 0)
    newest = {str(number): 0 for number in range(4)}
    tiles.watch({name: Wish(320) for name in newest})
    for now_s, (kind, number) in enumerate(story):
        name = str(number)
        newest[name] += 1
        if kind == "send":
            if name in dict(tiles.due(newest, float(now_s))):
                assert on_way[number] < CREDIT
                tiles.sent(name, newest[name], 100, float(now_s))
                on_way[number] += 1
        elif kind == "drawn":
            tiles.drawn(name)
            on_way[number] = max(0, on_way[number] - 1)
        else:
            tiles.watch({one: Wish(320 + now_s) for one in newest})
