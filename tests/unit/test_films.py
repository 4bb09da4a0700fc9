"""What is trusted of a stream, which stream is chosen, and how its pictures stand."""

from fractions import Fraction

import pytest

from groundcam_producers.films.damage import Damage
from groundcam_producers.films.decoded import pixel_aspect
from groundcam_producers.films.streams import MOST_OTHERS, Choice
from groundcam_runtime.pictures.orientation import of_exif, of_matrix, then, turned, upright_size


def trusted(pictures: str, *, keep: bool = False) -> str:
    """Of pictures (K a key frame, . another, ! a damaged one, L something lost before the next) those to trust."""
    damage, out = Damage(keep=keep), ""
    for one in pictures:
        if one == "L":
            damage.lost()
        else:
            out += "-" if damage.taints(is_key=one == "K", is_marked=one == "!") else "+"
    return out


def test_after_damage_nothing_is_trusted_until_the_next_key_frame() -> None:
    assert trusted("K..!..K..") == "+++---+++"
    assert trusted("K.L..K.") == "++--++"
    assert trusted("...") == "+++"
    assert trusted("!.K") == "--+"
    assert trusted("K..!..K..", keep=True) == "+++-+++++"


def test_the_first_candidate_is_chosen_unless_it_is_silent_while_another_speaks() -> None:
    first = Choice([3, 1])
    assert [first.came(1), first.came(1), first.came(3)] == [False, False, True]
    assert first.chosen == 3
    silent = Choice([3, 1])
    assert [silent.came(1) for _ in range(MOST_OTHERS + 1)][-1]
    assert silent.chosen == 1
    assert Choice([7]).chosen == 7
    short = Choice([3, 1, 2])
    assert [short.came(index) for index in (1, 2, 1)] == [False] * 3
    assert short.settle() == 1, "the film has ended, and the first gave nothing"


def test_an_impossible_shape_of_a_pixel_is_none() -> None:
    assert pixel_aspect((320, 480), Fraction(2), None, 10**6) == 2
    assert pixel_aspect((320, 480), Fraction(2), None, 320 * 480) == 1
    assert pixel_aspect((320, 480), Fraction(1, 255), None, 10**6) == 1
    assert pixel_aspect((320, 480), None, None, 10**6) == 1
    assert pixel_aspect((704, 288), Fraction(1), Fraction(4, 3), 10**6) == Fraction(4 * 288, 3 * 704)


def test_turns_add_up() -> None:
    assert then(turned(90), turned(90)) == turned(180)
    assert then(turned(270), turned(90)) == 1
    assert then(then(2, 6), 8) == 2
    assert upright_size(640, 480, turned(90)) == (480, 640)


@pytest.mark.parametrize(
    ("matrix", "orientation"),
    [
        ((65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30), 1),
        ((0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30), 6),
        ((1000, 65000, 0, -65000, 1000, 0, 0, 0, 1 << 30), 6),
        ((0,) * 9, 1),
    ],
)
def test_a_display_matrix_is_the_nearest_quarter(matrix: tuple[int, ...], orientation: int) -> None:
    assert of_matrix(matrix) == orientation


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II*\x00",
        b"MM\x00*\xff\xff\xff\xff",
        b"II*\x00\x08\x00\x00\x00\xff\xff",
        b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x09\x00",
    ],
)
def test_a_broken_exif_block_says_nothing(block: bytes) -> None:
    assert of_exif(block) == 1
