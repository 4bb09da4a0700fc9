"""Which answers of a webhook count, waits between attempts, queues, and what may be committed."""

from typing import Any

import pytest

from groundcam_events.notify.letters import Letter, letter_record, open_letters, settled_record
from groundcam_events.notify.made_up import made_up
from groundcam_events.notify.policy.answers import Answer, Failure, answer, delay_s
from groundcam_events.notify.policy.book import Book, Claim
from groundcam_events.notify.policy.picture_index import PictureIndex
from groundcam_events.notify.policy.waiting import Item, Waiting
from groundcam_events.notify.settings import HookSettings
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Consumed, Partition, Position
from groundcam_schemas import encode

NS = 1_000_000_000
NOW_S = 1_700_000_000.0
EVENT = made_up(int(NOW_S * NS))
P0, P1 = Partition("events", 0), Partition("events", 1)
BUSY = Answer(Failure.SERVER_ERROR, "it answers 503", 503)
TAKEN = Answer(None, "it answers 200", 200)


def hook(**settings: Any) -> HookSettings:
    return HookSettings(url="https://example.com/", **settings)


def item(object_id: str = "o", n: int = 0, at_s: float = 0.0, offset: int = 0, partition: Partition = P0) -> Item:
    event = EVENT.model_copy(update={"id": object_id, "n": n})
    return Item(Claim(partition, offset, 1), event, b"", at_s)


# Answers, and when to try again


@pytest.mark.parametrize(
    ("status", "failure", "is_final"),
    [
        (200, None, False), (204, None, False), (299, None, False),
        (301, Failure.REDIRECT, True), (307, Failure.REDIRECT, True),
        (400, Failure.REFUSED, True), (401, Failure.REFUSED, True), (404, Failure.REFUSED, True),
        (408, Failure.BUSY, False), (425, Failure.BUSY, False), (429, Failure.BUSY, False),
        (500, Failure.SERVER_ERROR, False), (503, Failure.SERVER_ERROR, False), (999, Failure.SERVER_ERROR, False),
    ],
)  # fmt: skip
def test_the_status_decides(status: int, failure: Failure | None, is_final: bool) -> None:
    answered = answer(status, None, NOW_S)
    assert (answered.failure, answered.is_final) == (failure, is_final)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("7", 7.0), (" 7 ", 7.0), ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0), ("Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
     ("soon", None), ("", None), (None, None), ("-5", None), ("9" * 50, 999_999_999.0)],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date_and_nothing_else(text: str | None, expected: float | None) -> None:
    assert answer(429, text, NOW_S).retry_after_s == expected
    assert answer(200, text, NOW_S).retry_after_s is None


def test_waits_double_up_to_a_bound_and_chance_takes_up_to_a_half() -> None:
    assert [delay_s(count, 1.0, 60.0, 1.0) for count in (1, 2, 3, 7, 10_000)] == [1, 2, 4, 60, 60]
    assert [delay_s(count, 1.0, 60.0, 0.0) for count in (1, 2, 3, 7)] == [0.5, 1, 2, 30]


def test_what_the_receiver_asks_for_counts_within_the_bound() -> None:
    assert delay_s(1, 1.0, 60.0, 1.0, 20.0) == 20.0
    assert delay_s(1, 1.0, 60.0, 1.0, 1e9) == 60.0
    assert delay_s(5, 1.0, 60.0, 1.0, 2.0) == 16.0


# The queue


def test_events_of_an_object_go_one_after_the_other_and_of_different_ones_side_by_side() -> None:
    waiting = Waiting(hook(concurrent=3))
    first, second, other = item("a", 0), item("a", 1), item("b", 0)
    assert all(map(waiting.offer, (first, second, other)))
    assert [waiting.next(0.0), waiting.next(0.0), waiting.next(0.0)] == [first, other, None]
    assert waiting.answered(first, TAKEN, 0.0, lambda: 0.0)
    assert waiting.next(0.0) is second


def test_no_more_are_on_their_way_than_may_be_and_one_at_a_time_while_the_webhook_fails() -> None:
    waiting = Waiting(hook(concurrent=2, retry_s=1.0))
    items = [item(name) for name in "abc"]
    assert all(map(waiting.offer, items))
    a, b = waiting.next(0.0), waiting.next(0.0)
    assert waiting.next(0.0) is None
    assert a is items[0]
    assert b is items[1]
    assert not waiting.answered(items[0], BUSY, 0.0, lambda: 1.0)
    assert not waiting.answered(items[1], BUSY, 0.0, lambda: 1.0)
    assert waiting.next(1.9) is None, "two failures in a row: two seconds"
    assert waiting.next(2.0) is items[2], "another one finds out whether it is back"
    assert waiting.next(2.0) is None
    assert waiting.answered(items[2], TAKEN, 2.5, lambda: 1.0)
    assert {waiting.next(2.5), waiting.next(2.5)} == set(items[:2])


def test_an_event_that_alone_is_answered_with_errors_does_not_keep_the_others() -> None:
    waiting = Waiting(hook(concurrent=1, retry_s=1.0, give_up_s=20.0))
    assert waiting.offer(item("poison"))
    now_s, through = 0.0, 0
    while now_s < 20.0:
        waiting.offer(item(f"o{now_s}", at_s=now_s))
        if one := waiting.next(now_s):
            is_poison = one.event.id == "poison"
            through += waiting.answered(one, BUSY if is_poison else TAKEN, now_s, lambda: 1.0) and not is_poison
        now_s += 0.25
    assert through > 50
    assert [one.event.id for one in waiting.overdue(21.0)] == ["poison"]


def test_what_fails_on_its_way_while_its_partition_goes_is_not_tried_again() -> None:
    """It is its new owner's, who begins with it: else it would come twice, and late."""
    waiting = Waiting(hook(give_up_s=3600.0))
    lost, kept = item("a"), item("b", partition=P1)
    for one in (lost, kept):
        assert waiting.offer(one)
    assert {waiting.next(0.0), waiting.next(0.0)} == {lost, kept}
    waiting.forget(lambda claim: claim.partition == P1)
    assert waiting.answered(lost, BUSY, 1.0, lambda: 0.0)
    assert not waiting.answered(kept, BUSY, 1.0, lambda: 0.0)
    assert waiting.count == 1
    assert waiting.next(100.0) is kept


def test_a_full_queue_takes_nothing_and_has_room_again_when_one_is_through() -> None:
    waiting = Waiting(hook(queue_events=2))
    first = item("a")
    assert waiting.offer(first)
    assert waiting.offer(item("a", 1))
    assert not waiting.offer(item("b"))
    assert waiting.next(0.0) is first
    assert not waiting.offer(item("b")), "what is on its way counts"
    waiting.answered(first, TAKEN, 0.0, lambda: 0.0)
    assert waiting.offer(item("b"))


def test_what_has_waited_for_too_long_is_given_up_whether_it_was_tried_or_not() -> None:
    waiting = Waiting(hook(give_up_s=10.0, concurrent=1))
    tried, behind, younger = item("a", 0), item("a", 1), item("b", at_s=5.0)
    assert all(map(waiting.offer, (tried, behind, younger)))
    assert waiting.next(0.0) is tried
    assert list(waiting.overdue(11.0)) == [], "what is on its way is waited for"
    assert waiting.answered(tried, BUSY, 11.0, lambda: 1.0), "and then it is late"
    assert list(waiting.overdue(11.0)) == [behind]
    assert waiting.count == 1
    assert waiting.next_s() == 12.0, "a second after the failure"
    assert list(waiting.overdue(15.0)) == [younger]
    assert waiting.next_s() is None


def test_a_refusal_is_final_for_the_event_and_no_trouble_of_the_webhook() -> None:
    waiting = Waiting(hook())
    one = item()
    waiting.offer(one)
    waiting.next(0.0)
    assert waiting.answered(one, answer(404, None, 0.0), 0.0, lambda: 1.0)
    assert not waiting.is_failing


def test_what_is_another_notifiers_is_let_go_and_what_is_on_its_way_ends_by_itself() -> None:
    waiting = Waiting(hook())
    gone, busy, kept = item("a"), item("b"), item("c", partition=P1)
    assert all(map(waiting.offer, (busy, gone, kept)))
    assert waiting.next(0.0) is busy
    waiting.forget(lambda claim: claim.partition == P1)
    assert waiting.count == 2
    assert waiting.next(0.0) is kept
    assert waiting.answered(busy, TAKEN, 0.0, lambda: 0.0)
    assert waiting.answered(kept, TAKEN, 0.0, lambda: 0.0)
    assert waiting.count == 0


# What may be committed


def claims(book: Book, *offsets: int, partition: Partition = P0) -> list[Claim]:
    found = [book.claim(partition, offset) for offset in offsets]
    return [one for one in found if one is not None]


def test_an_offset_is_committed_once_every_webhook_that_wants_it_has_it_and_none_before() -> None:
    book = Book()
    book.assigned([P0], 7)
    one, two, three = claims(book, 10, 11, 13)
    assert book.begin(one, {"phone", "log"}) is None
    assert book.begin(two, {"log"}) is None
    assert book.begin(three, ()) is None
    assert book.settle(two, "log") is None
    assert book.settle(one, "log") is None
    assert book.unsettled == 3
    assert book.settle(one, "log") is None, "the same one twice is one"
    assert book.settle(one, "phone") == Position(14, epoch=7)
    assert book.unsettled == 0
    assert book.settle(one, "phone") is None


def test_what_was_taken_of_a_partition_that_went_and_came_back_commits_nothing() -> None:
    book = Book()
    book.assigned([P0, P1], 1)
    (old,) = claims(book, 5)
    book.begin(old, {"phone"})
    book.gone([P0])
    assert book.claim(P0, 6) is None
    assert not book.holds(old)
    assert book.settle(old, "phone") is None
    book.assigned([P0], 2)
    (new,) = claims(book, 5)
    book.begin(new, {"phone"})
    assert book.settle(old, "phone") is None
    assert book.settle(new, "phone") == Position(6, epoch=2)
    assert book.partitions == 2


# What was not taken


def lying(record: Record, offset: int) -> Consumed:
    return Consumed(Partition(record.topic, 0), offset, 0, record.key_bytes, record.value, record.headers, 0)


def test_what_is_undelivered_is_each_event_once_without_those_that_were_delivered_since() -> None:
    def letter(name: str, n: int) -> Letter:
        event = EVENT.model_copy(update={"id": name})
        event = event if n == 0 else event.model_copy(update={"n": n})
        return Letter(f"hook-{n % 2}", event, encode(event), "gave_up: it answers 503", 4)

    kept, again, through = letter("a", 0), letter("b", 0), letter("c/1", 0)
    records = [letter_record("u", one, 5) for one in (kept, again, again, through)]
    records.append(settled_record("u", through))
    found = open_letters(lying(record, offset) for offset, record in enumerate(records))
    assert [one.name for one in found] == [kept.name, again.name]
    assert found[0] == kept
    assert records[0].key == EVENT.camera_id
    assert open_letters([lying(records[0], 0)], "other") == []
    foreign = Record("u", b"\xc1", "x", headers=(("groundcam-undelivered-hook", b"h"),))
    assert open_letters([lying(foreign, 0), lying(Record("u", None, "x"), 1)]) == []
    later = [*records, letter_record("u", through, 9)]
    assert through.name in {one.name for one in open_letters(lying(record, 0) for record in later)}


def test_pictures_are_remembered_by_their_places_the_newest_of_each_and_not_too_many() -> None:
    index = PictureIndex(most=2)
    for offset, name in enumerate("aabc"):
        index.note(name, (P0, offset))
    assert index.find("a") is None
    assert index.find("b") == (P0, 2)
    index.remove("b")
    assert index.find("b") is None
