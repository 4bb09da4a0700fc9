"""How webhooks are asked: signature, body, answers, waits between attempts, queues, and what may be committed."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from groundcam_events.notify.credentials import Credentials, read_credentials
from groundcam_events.notify.letters import Letter, letter_record, open_letters, settled_record
from groundcam_events.notify.made_up import made_up
from groundcam_events.notify.policy.address import address_of
from groundcam_events.notify.policy.answers import Answer, Failure, answer, delay_s
from groundcam_events.notify.policy.body import Picture, body, headers
from groundcam_events.notify.policy.book import Book, Claim
from groundcam_events.notify.policy.picture_index import PictureIndex
from groundcam_events.notify.policy.signature import sign, verify
from groundcam_events.notify.policy.waiting import Item, Waiting
from groundcam_events.notify.post import MOST_BODY_BYTES, post
from groundcam_events.notify.settings import HookSettings
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.records import Consumed, Partition, Position
from groundcam_runtime.redaction import redact
from groundcam_runtime.settings import SettingError
from groundcam_schemas import Event, decode_json, encode
from receiver import Receiver, receiving

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


# The signature


def test_a_signature_is_that_of_the_scheme_and_fits_its_body_secret_and_time_alone() -> None:
    header = sign("secret", b"{}", NOW_S)
    digest = hmac.new(b"secret", b"1700000000.{}", hashlib.sha256).hexdigest()
    assert header == f"t=1700000000,v1={digest}"
    assert verify("secret", header, b"{}", NOW_S + 299)
    assert not verify("secret", header, b"{ }", NOW_S)
    assert not verify("Secret", header, b"{}", NOW_S)
    assert not verify("secret", header, b"{}", NOW_S + 301)
    assert not verify("secret", header, b"{}", NOW_S - 301)
    assert not verify("secret", header.replace("t=17", "t=18"), b"{}", NOW_S + 1e8)


def test_of_several_signatures_one_must_fit_as_while_a_secret_is_replaced() -> None:
    header = sign("new", b"x", NOW_S)
    assert verify("new", header.replace("v1=", "v1=00ff,v1="), b"x", NOW_S)
    assert verify("new", f"{header},v0=abc, v1=é", b"x", NOW_S)


@pytest.mark.parametrize(
    "header", ["", "t=,v1=", "v1=abc", "t=1,t=2,v1=x", "t=1e9,v1=x", "t=²,v1=x", "t=" + "9" * 5000, ","]
)
def test_what_is_no_signature_is_refused(header: str) -> None:
    assert not verify("secret", header, b"", NOW_S)


# The body


def test_the_body_is_the_event_and_is_read_as_one() -> None:
    content = body(EVENT, "phone", hook(), None)
    assert decode_json(Event, content) == EVENT
    more = json.loads(content)
    assert (more["hook"], more["text"], more["zones_now"]) == ("phone", "person at test in test", ["test"])
    assert (more["first_seen_at"], more["is_test"]) == ("2023-11-14T22:13:20.000Z", False)
    assert more["picture"] is None
    assert "picture_reason" not in more


def test_a_picture_is_attached_or_linked_or_its_absence_is_explained() -> None:
    attached = json.loads(body(EVENT, "p", hook(picture="attach"), Picture(b"\xff\xd8jpeg")))
    assert base64.b64decode(attached["picture"]["base64"]) == b"\xff\xd8jpeg"
    assert attached["picture"]["content_type"] == "image/jpeg"
    absent = json.loads(body(EVENT, "p", hook(picture="attach"), Picture(None, "it is late")))
    assert (absent["picture"], absent["picture_reason"]) == (None, "it is late")
    link = hook(picture="link", picture_url="https://g.example/{camera}/{id}.jpg")
    odd = EVENT.model_copy(update={"id": "a/../b?"})
    assert json.loads(body(odd, "p", link, None))["picture"] == {"url": "https://g.example/test/a%2F..%2Fb%3F.jpg"}


def test_the_headers_name_the_event_and_sign_the_body_only_with_a_secret() -> None:
    assert headers(EVENT, b"x", None, NOW_S)["X-Groundcam-Event"] == f"{EVENT.id}/0"
    assert "X-Groundcam-Signature" not in headers(EVENT, b"x", None, NOW_S)
    assert verify("s", headers(EVENT, b"x", "s", NOW_S)["X-Groundcam-Signature"], b"x", NOW_S)


def test_a_camera_whose_clock_is_at_the_end_of_time_has_a_body_too() -> None:
    look = EVENT.last.model_copy(update={"captured_at_ns": 2**63 - 1})
    assert json.loads(body(EVENT.model_copy(update={"last": look}), "p", hook(), None))["last_seen_at"] > "2200"


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


# Addresses and files


def test_of_an_address_only_scheme_host_and_port_are_shown() -> None:
    assert address_of("https://hooks.example.com/services/T0/B0/hunter2222?x=1").shown == "https://hooks.example.com"
    assert address_of("http://[::1]:8080/x").shown == "http://[::1]:8080"
    assert address_of("https://e.com?x=1").target == "/?x=1"
    assert hook().public_url == "https://example.com"


def test_files_give_the_address_the_secret_and_headers_and_none_of_it_is_logged(tmp_path: Path) -> None:
    for name, text in (("url", "https://e.com/hunter1111\n"), ("secret", "hunter2222\n"),
                       ("headers", "Authorization: Bearer hunter3333\n\nX-Team: a\n")):  # fmt: skip
        (tmp_path / name).write_text(text)
    files = {f"{name}_file": tmp_path / name for name in ("url", "secret", "headers")}
    found = read_credentials("phone", HookSettings(**files))
    assert found.address.target == "/hunter1111"
    assert found.secret == "hunter2222"
    assert found.headers == (("Authorization", "Bearer hunter3333"), ("X-Team", "a"))
    assert "hunter" not in redact("GET /hunter1111 hunter2222 Bearer hunter3333")


@pytest.mark.parametrize(
    ("setting", "text", "sentence"),
    [
        ("headers_file", "Authorization Bearer hunter2222", "headers_file: line 1 is not like"),
        ("headers_file", "A: b\nHost: hunter2222", "headers_file: line 2: Host is not yours to set"),
        ("headers_file", "X-Groundcam-Event: hunter2222", "is not yours to set"),
        ("headers_file", "A: é☃hunter2222", "line 1 is not like"),
        ("secret_file", "\n", "secret_file: it is empty"),
        ("ca", None, ""),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_its_text_is_not(
    tmp_path: Path, setting: str, text: str | None, sentence: str
) -> None:
    path = tmp_path / "file"
    if text is None:
        setting, sentence = "secret_file", "notify.hooks.phone.secret_file: No such file"
    else:
        path.write_text(text)
    with pytest.raises(SettingError, match=sentence) as told:
        read_credentials("phone", hook(**{setting: path}))
    assert "hunter2222" not in str(told.value)


# The request itself, against a real server


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def posted(url: str, timeout_s: float = 5.0, ca_file: Path | None = None) -> Answer:
    return post(Credentials(address_of(url), None, ()), b"{}", {"X-A": "b"}, timeout_s=timeout_s, ca_file=ca_file)


@pytest.mark.parametrize("path", ["/ok", "/garbage", "/endless", "/short", "/silent"])
def test_whoever_says_2xx_has_taken_it_whatever_else_he_says(server: Receiver, path: str) -> None:
    answered = posted(server.url(path))
    assert answered.failure is None
    assert len(answered.body) <= MOST_BODY_BYTES


@pytest.mark.parametrize(
    ("path", "failure"),
    [
        ("/redirect", Failure.REDIRECT), ("/gone", Failure.REFUSED), ("/busy", Failure.BUSY),
        ("/down", Failure.SERVER_ERROR), ("/noise", Failure.NOT_HTTP), ("/closes", Failure.NOT_HTTP),
    ],
)  # fmt: skip
def test_each_failure_is_told_apart(server: Receiver, path: str, failure: Failure) -> None:
    assert posted(server.url(path)).failure is failure


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_an_attempt_ends_in_time_although_the_receiver_hangs_or_drips(server: Receiver, path: str) -> None:
    begun_s = time.monotonic()
    assert posted(server.url(path), timeout_s=0.5).failure is Failure.TIMEOUT
    assert time.monotonic() - begun_s < 5.0


def test_a_redirect_is_not_followed_and_nothing_is_sent_there(server: Receiver) -> None:
    posted(server.url("/redirect"))
    assert server.asked("/stolen") == []


def test_where_nobody_listens_the_connection_fails() -> None:
    assert posted("http://127.0.0.1:1/").failure is Failure.CONNECTION


def test_certificates_are_verified_and_one_may_be_trusted_by_its_file(tmp_path: Path) -> None:
    import http.server
    import ssl

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as served:
        served.handle_error = lambda *_: None  # type: ignore[method-assign, assignment]
        served.socket = context.wrap_socket(served.socket, server_side=True)
        threading.Thread(target=served.serve_forever, daemon=True).start()
        port = served.server_address[1]
        trusted = posted(f"https://localhost:{port}/", ca_file=tmp_path / "ca.pem")
        strange = posted(f"https://localhost:{port}/")
        other_name = posted(f"https://127.0.0.1:{port}/", ca_file=tmp_path / "ca.pem")
        served.shutdown()
    assert trusted.failure is None
    assert (strange.failure, other_name.failure) == (Failure.TLS, Failure.TLS)
    assert "certificate is not trusted" in strange.text
