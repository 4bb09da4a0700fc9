"""What comes over an RTSP connection, however it is cut; and logins, by the examples of their RFCs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundcam_producers.rtsp.login import Login
from groundcam_producers.rtsp.messages import (
    MOST_BODY_BYTES,
    MOST_HEADER_BYTES,
    Media,
    Message,
    ProtocolError,
    Splitter,
)

ANSWER = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\n$body"
REQUEST = b"GET_PARAMETER rtsp://cam/live RTSP/1.0\r\nCSeq: 3\r\n\r\n"
BARE = b"RTSP/1.0 401 Unauthorized\nWWW-Authenticate: Basic realm=x\nCSeq: 4\n\n"
FRAME = b"$\x00\x00\x08RTSP/1.0"
EMPTY_FRAME = b"$\x01\x00\x00"


def split(*chunks: bytes) -> list[Media | Message]:
    splitter = Splitter()
    return [one for chunk in chunks for one in splitter.split(chunk)]


def media(found: list[Media | Message]) -> bytes:
    return b"".join(one.raw for one in found if isinstance(one, Media))


def starts(found: list[Media | Message]) -> list[str]:
    return [one.start for one in found if isinstance(one, Message)]


@given(st.lists(st.sampled_from([ANSWER, REQUEST, BARE, FRAME, EMPTY_FRAME])), st.data())
def test_messages_and_media_come_out_whole_wherever_the_stream_is_cut(parts: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=20)))
    chunks = [whole[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    found = split(*chunks)
    assert media(found) == b"".join(part for part in parts if part.startswith(b"$"))
    assert starts(found) == [part.split(b"\n")[0].decode().strip() for part in parts if not part.startswith(b"$")]
    assert [one.body for one in found if isinstance(one, Message) and one.body] == [b"$body"] * parts.count(ANSWER)


@given(st.lists(st.binary(max_size=300)))
def test_nonsense_is_passed_over_and_never_kept_without_bound(chunks: list[bytes]) -> None:
    splitter = Splitter()
    for chunk in chunks:
        list(splitter.split(chunk))
        assert len(splitter._waiting) <= 2**16 + 4 + 300


def test_what_follows_nonsense_is_found() -> None:
    assert starts(split(b"\x00\x01 R RTSP/ GET what\r\n" + ANSWER)) == ["RTSP/1.0 200 OK"]


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        (b"RTSP/1.0 200 OK\r\nX: " + b"x" * (MOST_HEADER_BYTES + 1), "header"),
        (b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * MOST_HEADER_BYTES, "header"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 2000000000\r\n\r\n", "2000000000"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % (MOST_BODY_BYTES + 1), str(MOST_BODY_BYTES + 1)),
        (b"RTSP/1.0 200 OK\r\nContent-Length: -5\r\n\r\n", "number"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: 1e9\r\n\r\n", "number"),
        (b"RTSP/1.0 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "number"),
    ],
)
def test_an_answer_over_its_bound_is_refused_before_it_is_taken(sent: bytes, names: str) -> None:
    with pytest.raises(ProtocolError, match=names):
        split(sent)


def test_a_message_is_sent_as_it_came_but_for_what_is_changed() -> None:
    (message,) = split(REQUEST)
    assert isinstance(message, Message)
    assert message.encode() == REQUEST
    changed = message.with_uri("rtsp://other/x").with_header("Authorization", "Basic eDp5")
    assert changed.encode() == (
        b"GET_PARAMETER rtsp://other/x RTSP/1.0\r\nCSeq: 3\r\nAuthorization: Basic eDp5\r\n\r\n"
    )
    assert changed.with_header("authorization", "z").all("authorization") == ["z"]


def login(nonce: str = "0a4f113b", password: str = "Circle Of Life") -> Login:
    return Login("Mufasa", password, lambda: nonce)


def test_the_digest_of_rfc_2617_comes_out() -> None:
    one = login()
    assert one.challenged(
        [
            (
                'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",'
                ' opaque="5ccc069c403ebaf9f0171e9517f40e41"'
            )
        ]
    )
    said = one.authorization("GET", "/dir/index.html") or ""
    assert 'response="6629fae49393a05397450978507c4ef1"' in said
    assert 'opaque="5ccc069c403ebaf9f0171e9517f40e41"' in said
    assert "nc=00000001" in said
    assert "nc=00000002" in (one.authorization("GET", "/dir/index.html") or "")


def test_the_digest_of_rfc_7616_comes_out_and_the_stronger_one_is_taken() -> None:
    one = login("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "Circle of Life")
    asked = 'realm="http-auth@example.org", qop="auth, auth-int", nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"'
    assert one.challenged(["Basic realm=x", f"Digest {asked}, algorithm=MD5", f"Digest {asked}, algorithm=SHA-256"])
    said = one.authorization("GET", "/dir/index.html") or ""
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in said
    assert "algorithm=SHA-256" in said


def test_basic_is_said_only_where_nothing_else_is_offered_and_nothing_before_it_is_asked_for() -> None:
    one = login()
    assert one.authorization("DESCRIBE", "rtsp://cam/live") is None
    assert one.challenged(['Basic realm="x"'])
    assert one.authorization("DESCRIBE", "rtsp://cam/live") == "Basic TXVmYXNhOkNpcmNsZSBPZiBMaWZl"


def test_a_wrong_password_is_tried_once_and_a_nonce_that_grew_old_is_replaced() -> None:
    one = login()
    assert one.challenged(['Digest realm="r", nonce="1"'])
    assert not one.challenged(['Digest realm="r", nonce="2"']), "the password is wrong"
    assert one.challenged(['Digest realm="r", nonce="3", stale=TRUE'])
    one.accepted()
    assert one.challenged(['Digest realm="r", nonce="4"']), "the nonce has grown old"
    assert not one.challenged(['Digest realm="r", nonce="4"'])


@pytest.mark.parametrize(
    ("asked", "is_answered"),
    [
        ([], False), ([""], False), (["Negotiate"], False), (["Digest"], True),
        (['Digest algorithm=SHA-512, nonce="x"'], False), (["Digest ,,,=,"], True),
    ],
)  # fmt: skip
def test_a_challenge_of_any_form_is_answered_or_left(asked: list[str], is_answered: bool) -> None:
    one = login()
    assert one.challenged(asked) == is_answered
    if is_answered:
        assert one.authorization("PLAY", "rtsp://cam/")
