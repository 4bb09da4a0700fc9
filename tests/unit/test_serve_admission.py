"""Whom the HTTP service lets in, and what it takes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam_serve.admission import FIRST_S, OF_THE_DEADLINE, Admission, Refusal, Ticket
from groundcam_serve.keys import BURST_S, EVERYBODY, Key, Rates, find, new_key, read_keys


def taken(
    admission: Admission, pictures: int = 1, size: int = 100, timeout_s: float = 10.0, now: float = 0.0
) -> Ticket:
    ticket = admission.ask(pictures, size, timeout_s, now)
    assert isinstance(ticket, Ticket), ticket
    return ticket


def test_what_cannot_be_answered_in_time_is_refused_with_when_to_come_again() -> None:
    admission = Admission(10_000, 10**9)
    while isinstance(found := admission.ask(1, 100, 2.0, 0.0), Ticket):
        pass
    assert isinstance(found, Refusal)
    assert admission.pictures * FIRST_S == pytest.approx(2.0 * OF_THE_DEADLINE, abs=2 * FIRST_S)
    assert found.retry_after_s >= 1.0
    assert "waits 2 s" in found.reason
    taken(admission, timeout_s=60.0)


def test_a_single_request_is_taken_whatever_is_expected_of_it() -> None:
    """Or after one slow answer nobody would be let in, and nothing would be learned."""
    admission = Admission(1, 1)
    slow = taken(admission, pictures=3, size=10**9)
    admission.done(slow, 300.0, was_answered=True)
    assert admission.pictures == admission.bytes == 0
    taken(admission, timeout_s=0.001)


@pytest.mark.parametrize(("pictures", "size"), [(10, 1), (1, 1000)])
def test_pictures_and_bytes_that_wait_are_bounded(pictures: int, size: int) -> None:
    admission = Admission(10, 1000)
    first = taken(admission, pictures, size, timeout_s=600.0)
    assert isinstance(admission.ask(1, 1, 600.0, 0.0), Refusal)
    admission.done(first, 0.01, was_answered=True)
    taken(admission, 1, 1)


def test_the_estimate_follows_the_detector() -> None:
    admission = Admission(10_000, 10**9)
    for each_s in (0.5, 0.001):
        for _ in range(100):
            tickets = [taken(admission, timeout_s=10**6) for _ in range(10)]
            for ticket in tickets:
                admission.done(ticket, each_s * ticket.in_all, was_answered=True)
        taken(admission, 10, timeout_s=10**6)
        assert admission.wait_s == pytest.approx(10 * each_s, rel=0.05)
        admission = admission if each_s == 0.001 else _emptied(admission)


def _emptied(admission: Admission) -> Admission:
    admission.pictures = admission.bytes = 0
    return admission


def test_who_gives_up_teaches_nothing() -> None:
    admission = Admission(10, 1000)
    admission.done(taken(admission), 500.0, was_answered=False)
    taken(admission)
    assert admission.wait_s == FIRST_S


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40), st.floats(0.001, 30)), max_size=200))
def test_what_is_counted_is_what_waits(steps: list[tuple[int, int, float]]) -> None:
    admission, waiting, now = Admission(100, 5000), list[Ticket](), 0.0
    for what, pictures, seconds in steps:
        now += seconds
        if what and waiting:
            admission.done(waiting.pop(pictures % len(waiting)), now, was_answered=what == 1)
        elif isinstance(found := admission.ask(pictures, pictures * 10, seconds, now), Ticket):
            waiting.append(found)
        assert admission.pictures == sum(one.pictures for one in waiting)
        assert admission.bytes == sum(one.size for one in waiting)
        assert admission.wait_s >= 0


def key_file(**changes: Any) -> str:
    entry = {"name": "wall", "sha256": "a" * 64, "scopes": ["read"], **changes}
    return json.dumps({"keys": [entry]})


def test_a_new_key_is_found_by_its_hash_and_no_other_text_is() -> None:
    secret, key = new_key("wall", ("detect",))
    other, another = new_key("gate", ("read",))
    keys = read_keys(json.dumps({"keys": [key.model_dump(mode="json"), another.model_dump(mode="json")]}))
    assert find(keys, secret) == key
    assert find(keys, other) == another
    for wrong in ("", secret[:-1], secret + "x", secret.swapcase(), key.sha256, "\udcff"):
        assert find(keys, wrong) is None
    assert secret not in str(key.model_dump())


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"scopes": ["fly"]}, "scopes"),
        ({"scopes": []}, "scopes"),
        ({"sha256": "abc"}, "sha256"),
        ({"cameras": ["a/b"]}, "cameras"),
        ({"pictures_per_s": 0}, "pictures_per_s"),
        ({"colour": "red"}, "colour"),
        ({"name": ""}, "name"),
    ],
)
def test_a_bad_key_is_named_by_its_field_and_not_shown(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        read_keys(key_file(**changes))
    assert "a" * 64 not in str(refused.value)


@pytest.mark.parametrize("text", ["keys: [", "keys:", "", "- a", "keys: [{}]", "a: 1\nkeys: []"])
def test_a_file_that_is_no_list_of_keys_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(keys|it is|a)\b"):
        read_keys(text)


def test_two_keys_of_one_name_are_refused() -> None:
    one = json.loads(key_file())["keys"][0]
    with pytest.raises(ValueError, match="'wall' is there twice"):
        read_keys(json.dumps({"keys": [one, {**one, "sha256": "b" * 64}]}))


def test_scopes_and_cameras_narrow_a_key_down() -> None:
    (key,) = read_keys(key_file(cameras=["gate"]))
    assert (key.may("read"), key.may("detect")) == (True, False)
    assert (key.may_see("gate"), key.may_see("yard")) == (True, False)
    assert EVERYBODY.may("ask")
    assert EVERYBODY.may_see("yard")


def limited(rate: float) -> Key:
    return EVERYBODY.model_copy(update={"pictures_per_s": rate})


@given(st.floats(0.5, 50), st.lists(st.tuples(st.floats(0, 5), st.integers(1, 32)), min_size=1, max_size=100))
def test_a_key_has_its_rate_and_a_burst_and_is_told_when_to_come_again(
    rate: float, asks: list[tuple[float, int]]
) -> None:
    rates, key, now, used = Rates(), limited(rate), 0.0, 0
    largest = 0
    for pause, pictures in asks:
        now += pause
        wait = rates.take(key, pictures, now)
        if wait is None:
            used, largest = used + pictures, max(largest, pictures)
        else:
            assert wait > 0
            now += wait + 1e-6
            assert rates.take(key, pictures, now) is None, "it said when"
            used, largest = used + pictures, max(largest, pictures)
    assert used <= rate * now + max(1.0, rate * BURST_S) + largest + 1e-3


def test_a_key_without_a_rate_has_none_and_keys_do_not_share() -> None:
    rates = Rates()
    assert all(rates.take(EVERYBODY, 1000, 0.0) is None for _ in range(100))
    one, other = limited(1.0).model_copy(update={"name": "a"}), limited(1.0).model_copy(update={"name": "b"})
    assert [rates.take(one, 2, 0.0), rates.take(other, 2, 0.0)] == [None, None]
    assert rates.take(one, 1, 0.0) is not None
