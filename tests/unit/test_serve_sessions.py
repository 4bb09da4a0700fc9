"""Sessions as signed tokens, what proxies may say, and how often somebody may try to log in."""

import base64
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam_serve.login_rates import AT_ONCE, EACH_S, Buckets, LoginRates
from groundcam_serve.proxies import UNKNOWN, Proxies, address_of, network_of
from groundcam_serve.sessions import (
    COOKIE,
    LONGEST_TOKEN,
    MOST_TOKENS,
    Ended,
    Session,
    mark_of,
    session_in,
    token_of,
    tokens_in,
)

SECRET, OTHER = b"s" * 32, b"o" * 32
ANNA = Session("user", "anna", 1000, 2000, "nonce", mark_of(SECRET, "user", "anna", "scrypt$1", "viewer"))
TOKEN = token_of(ANNA, SECRET)


def test_a_token_is_read_until_it_is_over() -> None:
    assert session_in(TOKEN, SECRET, 1000) == ANNA
    assert session_in(TOKEN, SECRET, 1999.9) == ANNA
    assert session_in(TOKEN, SECRET, 2000) is None


def test_a_token_of_another_key_is_none() -> None:
    assert session_in(TOKEN, OTHER, 1000) is None
    assert session_in(token_of(ANNA, OTHER), SECRET, 1000) is None


def test_no_character_of_a_token_may_be_changed_left_out_or_added() -> None:
    for place in range(len(TOKEN)):
        changed = "A" if TOKEN[place] != "A" else "B"
        for forged in (TOKEN[:place], TOKEN[:place] + changed + TOKEN[place + 1 :], TOKEN[:place] + TOKEN[place + 1 :]):
            assert session_in(forged, SECRET, 1000) is None, forged
    for more in ("=", "A", ".", " ", "\n", ".A"):
        assert session_in(TOKEN + more, SECRET, 1000) is None
        assert session_in(more + TOKEN, SECRET, 1000) is None


def test_what_a_token_says_cannot_be_replaced_under_its_signature() -> None:
    version, _, mac = TOKEN.split(".")
    said = json.dumps(["user", "admin", 1000, 9999, "nonce", ANNA.mark]).encode()
    for said_then in (base64.urlsafe_b64encode(said).rstrip(b"=").decode(), ""):
        for signed in (mac, "", ANNA.mark):
            assert session_in(f"{version}.{said_then}.{signed}", SECRET, 1000) is None


@given(st.text(max_size=300) | st.text("g1.AQ-_=", max_size=300))
def test_no_text_is_a_token_by_chance(text: str) -> None:
    assert session_in(text, SECRET, 1000) is None


@pytest.mark.parametrize("text", ["g1." + "A" * 10**6 + ".A", "g1", "g1.", "g1..", "." * 10**5, "\u00e9" * 100])
def test_a_huge_or_empty_token_is_none(text: str) -> None:
    assert session_in(text, SECRET, 1000) is None


def test_the_longest_name_fits_into_a_token() -> None:
    long = replace(ANNA, name="\U0001f600" * 100)
    assert session_in(token_of(long, SECRET), SECRET, 1000) == long
    assert len(token_of(long, SECRET)) < LONGEST_TOKEN


def test_a_mark_follows_from_every_part_of_an_entry_and_from_the_key() -> None:
    marks = {
        mark_of(SECRET, "user", "anna", "scrypt$1", "viewer"), mark_of(SECRET, "user", "anna", "scrypt$2", "viewer"),
        mark_of(SECRET, "user", "anna", "scrypt$1", "admin"), mark_of(OTHER, "user", "anna", "scrypt$1", "viewer"),
        mark_of(SECRET, "key", "anna", "scrypt$1", "viewer"), mark_of(SECRET, "user", "annascrypt$1", "", "viewer"),
    }  # fmt: skip
    assert len(marks) == 6


def test_a_token_shows_nothing_of_a_password_or_the_key() -> None:
    said = base64.urlsafe_b64decode(TOKEN.split(".")[1] + "==")
    assert b"scrypt" not in said
    assert SECRET not in said


def test_tokens_are_found_among_other_cookies_and_only_a_few_are_looked_at() -> None:
    assert list(tokens_in([f"a=b; {COOKIE}={TOKEN}; c=d"])) == [TOKEN]
    assert list(tokens_in([f"x{COOKIE}=1;{COOKIE}x=2;{COOKIE} =3", f"{COOKIE}=4", ""])) == ["4"]
    assert list(tokens_in([f"{COOKIE}={'A' * 60_000}; {COOKIE}=b"])) == ["b"]
    assert len(list(tokens_in([f"{COOKIE}=b;" * 10_000]))) == MOST_TOKENS


def test_a_session_that_was_ended_is_over_and_others_go_on() -> None:
    ended = Ended()
    ended.add(ANNA, 1000)
    assert ended.has(ANNA)
    assert not ended.has(replace(ANNA, nonce="other"))


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30)), max_size=80))
def test_sessions_that_were_ended_stay_so_in_bounded_memory(steps: list[tuple[int, int]]) -> None:
    ended, now, all_of_them = Ended(most=5), 1000, list[Session]()
    for number, (pause, lasts) in enumerate(steps):
        now += pause
        session = Session("user", "anna", now, now + lasts, str(number), "")
        ended.add(session, now)
        all_of_them.append(session)
        assert len(ended._known) <= 5
        assert all(ended.has(one) for one in all_of_them if one.expires_s > now)
    assert not ended.has(Session("user", "anna", now + 1, now + 2, "new", "")), "who logs in afterwards stays"


PROXIES = Proxies(["10.0.0.0/8", "127.0.0.1", "fd00::/8"])


@pytest.mark.parametrize("peer", ["10.1.2.3", "127.0.0.1", "fd00::1", "::ffff:10.1.2.3", "fd00::1%eth0"])
def test_a_proxy_is_known_by_the_connections_other_end(peer: str) -> None:
    assert PROXIES.trust(peer)
    assert not Proxies().trust(peer)


@pytest.mark.parametrize("peer", ["", "unix:", "11.0.0.1", "127.0.0.2", "fe80::1", "::ffff:11.0.0.1", "10.1.2", "None"])
def test_nobody_else_is(peer: str) -> None:
    assert not PROXIES.trust(peer)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("8.8.8.8", ["1.2.3.4"], "8.8.8.8"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["6.6.6.6", "1.2.3.4, 10.9.9.9"], "1.2.3.4"),
        ("10.0.0.1", ["127.0.0.1, 1.2.3.4"], "1.2.3.4"),
        ("10.0.0.1", ["1.2.3.4, junk"], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.9,10.0.0.8"], "10.0.0.9"),
        ("10.0.0.1", ["1.2.3.4:5678"], "1.2.3.4"),
        ("fd00::1", ["[2001:db8::1]:443"], "2001:db8::1"),
        ("::ffff:10.0.0.1", ["::ffff:1.2.3.4"], "1.2.3.4"),
        ("", ["1.2.3.4"], UNKNOWN),
    ],
)
def test_a_client_is_the_last_address_that_is_no_proxys(peer: str, forwarded: list[str], client: str) -> None:
    assert PROXIES.client_of(peer, forwarded) == client


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "proxy.example", "10.0.0.1/8", "", "10.0.0.0/33"])
def test_what_is_no_network_or_everybody_is_no_proxy(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no address|everybody"):
        network_of(text)


@given(st.text(max_size=60))
def test_any_text_is_an_address_or_none(text: str) -> None:
    address_of(text)


def test_attempts_are_five_at_once_and_then_one_in_twelve_seconds() -> None:
    buckets = Buckets()
    assert [buckets.take("a", 0.0) for _ in range(AT_ONCE)] == [None] * 5
    assert buckets.take("a", 0.0) == pytest.approx(EACH_S)
    assert buckets.take("a", 11.0) == pytest.approx(1.0)
    assert buckets.take("a", 12.0) is None
    assert buckets.take("b", 12.0) is None


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 60)), max_size=150))
def test_nobody_gets_more_attempts_by_coming_with_many_names(steps: list[tuple[float, int]]) -> None:
    buckets, now, taken = Buckets(most=8), 0.0, list[float]()
    for pause, whose in steps:
        now += pause
        buckets.take(f"n{whose}", now)
        if buckets.take("anna", now) is None:
            taken.append(now)
        assert len(buckets) <= 9
    for first, _ in enumerate(taken):
        for count, at in enumerate(taken[first:], 1):
            assert count <= AT_ONCE + (at - taken[first]) / EACH_S + 1e-6


def test_a_full_table_has_room_again_once_its_buckets_have_filled_up() -> None:
    buckets = Buckets(most=3)
    for name in "abcdefgh":
        buckets.take(name, 0.0)
    assert len(buckets) == 4, "the others share one"
    assert [buckets.take("x", 1.0) for _ in range(2)] == [pytest.approx(11.0)] * 2
    assert [buckets.take("x", 100.0) for _ in range(5)] == [None] * 5
    assert len(buckets) == 1


def test_a_name_is_counted_whatever_address_its_attempts_come_from() -> None:
    rates = LoginRates()
    found = [rates.take(f"1.2.3.{number}", "anna", 0.0) for number in range(6)]
    assert found == [None] * 5 + [pytest.approx(EACH_S)]
    assert rates.take("1.2.3.9", "bert", 0.0) is None
    assert rates.take("1.2.3.9", None, 0.0) is None, "a key has no name"


def test_an_address_is_counted_whatever_names_it_tries_and_costs_them_nothing() -> None:
    rates = LoginRates()
    assert [rates.take("1.2.3.4", f"name {number}", 0.0) for number in range(5)] == [None] * 5
    assert [rates.take("1.2.3.4", "anna", 0.0) for _ in range(50)] == [pytest.approx(EACH_S)] * 50
    assert rates.take("1.2.3.5", "anna", 0.0) is None


def test_a_client_has_no_more_attempts_for_having_a_network_of_addresses() -> None:
    rates = LoginRates()
    found = [rates.take(f"2001:db8::{number:x}", None, 0.0) for number in range(6)]
    assert found == [None] * 5 + [pytest.approx(EACH_S)]
    assert rates.take("2001:db8:0:1::1", None, 0.0) is None
