"""FFmpeg and a camera, with the relay between them: what is followed, trusted, bounded and noticed."""

import hashlib
import ssl
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Literal

import pytest
import trustme

from faulty_camera import PASSWORD, SDP, Camera, reply, running, wait_until
from groundcam_producers.errors import SourceError, SourceRefusedError, SourceTooLargeError
from groundcam_producers.feed import End, Feed
from groundcam_producers.films.decoded import Decoded
from groundcam_producers.rtsp.messages import MOST_BODY_BYTES
from groundcam_producers.rtsp.relay import NO_TRANSPORT, RtspRelay
from groundcam_producers.rtsp.tls import Trust
from groundcam_producers.video import VideoSource

SHORT_S = 1.0


def open_camera(camera: Camera, trust: Trust | None = None, timeout_s: float = 10.0) -> VideoSource:
    relay = RtspRelay(camera.url, trust or Trust(), timeout_s)
    return VideoSource(camera.url, is_live=True, timeout_s=timeout_s, relay=relay)


def pictures(source: VideoSource, count: int) -> list[tuple[int, int]]:
    with source:
        return [picture.size for picture, _ in zip(source, range(count), strict=False)]


def failure(camera: Camera, trust: Trust | None = None, timeout_s: float = 10.0) -> SourceError:
    with running(camera), pytest.raises(SourceError) as failed:
        pictures(open_camera(camera, trust, timeout_s), 1000)
    assert PASSWORD not in str(failed.value)
    return failed.value


@pytest.mark.parametrize("login", [None, "basic", "digest"])
def test_pictures_come_through_and_the_login_is_answered(login: str | None) -> None:
    with running(Camera(login=login)) as camera:
        assert pictures(open_camera(camera), 5) == [(160, 96)] * 5
    assert camera.connections == 1
    assert all(f"rtsp://127.0.0.1:{camera.port}/live" in one.split("\n")[0] for one in camera.heard)


def test_a_camera_may_send_over_udp() -> None:
    with running(Camera(over="udp")) as camera:
        relay = RtspRelay(camera.url, Trust(), 5.0, "udp")
        with VideoSource(camera.url, is_live=True, timeout_s=5.0, relay=relay, transport="udp") as source:
            assert [picture.size for picture, _ in zip(source, range(5), strict=False)] == [(160, 96)] * 5
    assert "client_port=" in "".join(camera.heard)


@pytest.mark.parametrize(("over", "asked"), [("udp", "tcp"), ("tcp", "udp")])
def test_a_camera_that_does_not_send_as_it_is_asked_to_is_told_with_the_setting(
    over: str, asked: Literal["tcp", "udp"]
) -> None:
    with running(Camera(over=over)) as camera, pytest.raises(SourceError) as failed:
        VideoSource(camera.url, is_live=True, timeout_s=5.0, transport=asked)
    assert str(failed.value) == f"it does not send over {asked.upper()}: set transport: {over} for this camera"
    assert failed.value.kind == NO_TRANSPORT


def test_a_login_of_an_unknown_kind_is_named() -> None:
    def refuse(number: str) -> bytes:
        asked = 'WWW-Authenticate: Digest realm="r", nonce="1", algorithm=MD6\r\nWWW-Authenticate: NTLM\r\n'
        return reply(number, "401 Unauthorized", asked)

    error = failure(Camera(answers={"DESCRIBE": refuse}))
    assert isinstance(error, SourceRefusedError)
    assert str(error) == "it asks for a login that is not known here (digest MD6, ntlm)"


def test_only_video_is_set_up() -> None:
    """A sound or metadata track that refuses costs nothing."""
    sdp = SDP + "m=audio 0 RTP/AVP 0\r\na=control:track1\r\nm=application 0 RTP/AVP 107\r\na=control:track2\r\n"
    sdp += "a=rtpmap:107 vnd.onvif.metadata/90000\r\n"

    def describe(number: str) -> bytes:
        return reply(number, "200 OK", "Content-Type: application/sdp\r\n", sdp)

    with running(Camera(answers={"DESCRIBE": describe})) as camera:
        assert pictures(open_camera(camera), 3) == [(160, 96)] * 3
    assert [one.split()[1].rpartition("/")[2] for one in camera.heard if one.startswith("SETUP")] == ["track0"]


def test_a_camera_that_does_not_number_its_answers_is_logged_in_to() -> None:
    camera = Camera(login="digest")
    asked: list[str] = []

    def describe(_: str) -> bytes:
        asked.append("")
        if len(asked) == 1:
            return b'RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm="r", nonce="b5f1"\r\n\r\n'
        return reply("x", "200 OK", "Content-Type: application/sdp\r\n", SDP).replace(b"CSeq: x\r\n", b"")

    camera.answers["DESCRIBE"] = describe
    with running(camera):
        assert len(pictures(open_camera(camera), 3)) == 3
    assert "Authorization: Digest" in camera.heard[2]


def test_a_wrong_password_is_said_once_and_told_as_a_refusal() -> None:
    camera = Camera(login="digest")
    with running(camera), pytest.raises(SourceRefusedError) as refused:
        url = camera.url.replace(PASSWORD, "wrong")
        VideoSource(url, is_live=True, timeout_s=5)
    assert refused.value.kind == "HTTPUnauthorizedError"
    assert sum("Authorization:" in one for one in camera.heard) == 1


@pytest.fixture
def elsewhere() -> Iterator[Camera]:
    with running(Camera(login="basic"), "127.0.0.9") as other:
        yield other


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP", "PLAY"])
@pytest.mark.parametrize("code", ["301 Moved", "302 Found", "303 See", "305 Use", "307 Temporary", "308 Permanent"])
def test_a_redirect_to_elsewhere_is_not_followed_and_nobody_else_is_spoken_to(
    elsewhere: Camera, method: str, code: str
) -> None:
    there = f"rtsp://127.0.0.9:{elsewhere.port}/x"
    camera = Camera(answers={method: lambda number: reply(number, code, f"Location: {there}\r\n")})
    failed = failure(camera)
    assert isinstance(failed, SourceRefusedError)
    assert str(failed) == f"it redirects to {there}, which is not followed"
    assert (elsewhere.connections, camera.connections) == (0, 1)


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "http://127.0.0.1:{port}/x", "rtsps://127.0.0.1:{port}/x", "rtsp://127.0.0.1:1/x",
     "rtsp://127.0.0.1/x", "tcp://127.0.0.1:{port}", "rtsp://[::1", "rtsp://u@127.0.0.9:{port}/\x1b[2J"],
)  # fmt: skip
def test_a_redirect_of_any_other_kind_is_refused_and_shown_harmlessly(location: str) -> None:
    camera = Camera()
    camera.answers["DESCRIBE"] = lambda number: reply(
        number, "302 Found", f"Location: {location.format(port=camera.port)}\r\n"
    )
    failed = failure(camera)
    assert failed.kind == "Redirect"
    assert "\x1b" not in str(failed)
    assert camera.connections == 1


@pytest.mark.parametrize("location", ["rtsp://127.0.0.1:{port}/live", "rtsp://LOCALHOST:{port}/live", "/live"])
def test_a_redirect_within_the_camera_is_followed_with_its_login(location: str) -> None:
    camera = Camera(login="digest")
    usual = reply("{}", "200 OK", "Content-Type: application/sdp\r\n", SDP)
    moved: list[str] = []

    def describe(number: str) -> bytes:
        if not moved:
            moved.append(number)
            return reply(number, "302 Found", f"Location: {location.format(port=camera.port)}\r\n")
        return usual.replace(b"{}", number.encode())

    camera.answers["DESCRIBE"] = describe
    with running(camera):
        if "LOCALHOST" in location:
            camera_url = camera.url.replace("127.0.0.1", "localhost")
            assert len(pictures(VideoSource(camera_url, is_live=True, timeout_s=5), 3)) == 3
        else:
            assert len(pictures(open_camera(camera), 3)) == 3
    assert camera.connections == 2


def test_a_camera_that_redirects_for_ever_is_given_up() -> None:
    camera = Camera()
    camera.answers["DESCRIBE"] = lambda number: reply(number, "302 Found", "Location: /live\r\n")
    failure(camera)
    assert camera.connections < 6


@pytest.mark.parametrize(
    ("method", "answer", "names"),
    [
        ("DESCRIBE", reply("2", "200 OK", f"Content-Length: {MOST_BODY_BYTES + 1}\r\n"), "KiB"),
        ("DESCRIBE", b"RTSP/1.0 200 OK\r\nX: " + b"x" * 100_000, "header"),
        ("OPTIONS", b"RTSP/1.0 200 OK\r\n" + b"X: y\r\n" * 20_000, "header"),
    ],
)
def test_an_answer_without_an_end_is_refused(method: str, answer: bytes, names: str) -> None:
    failed = failure(Camera(answers={method: lambda _: answer}))
    assert failed.kind == "ProtocolError"
    assert names in str(failed)


@pytest.mark.parametrize("method", ["OPTIONS", "DESCRIBE", "SETUP"])
def test_a_camera_that_does_not_answer_is_noticed_after_the_time_out(method: str) -> None:
    begun = time.monotonic()
    failed = failure(Camera(answers={method: lambda _: b""}), timeout_s=SHORT_S)
    assert failed.kind == "TimeoutError"
    assert SHORT_S <= time.monotonic() - begun < 1.9 * SHORT_S


def test_a_camera_that_plays_nothing_is_noticed_after_the_time_out() -> None:
    begun = time.monotonic()
    failed = failure(Camera(pictures=0), timeout_s=SHORT_S)
    assert failed.kind == "TimeoutError"
    assert time.monotonic() - begun < 1.9 * SHORT_S


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_stall_is_noticed_in_time_and_no_picture_from_before_it_comes_after_it(hangs_up: bool) -> None:
    """FFmpeg holds the last picture back until the next begins, or the stream ends."""
    with running(Camera(pictures=40, hangs_up=hangs_up)) as camera:
        feed, times = Feed(lambda: open_camera(camera, timeout_s=SHORT_S)), []
        with nullcontext() if hangs_up else pytest.raises(SourceError):
            while not isinstance(feed.take(5.0), End | None):
                times.append(time.monotonic())
        noticed = time.monotonic()
        feed.stop()
    assert max(after - before for before, after in pairwise(times)) < SHORT_S
    assert noticed - times[-1] < 1.9 * SHORT_S


def test_a_camera_that_only_reports_can_be_left_from_another_thread() -> None:
    with running(Camera(pictures=0, keeps_reporting=True)) as camera:
        relay = RtspRelay(camera.url, Trust(), 5.0)
        feed = Feed(lambda: VideoSource("", is_live=True, timeout_s=5.0, relay=relay), relay.close)
        wait_until(lambda: any(one.startswith("PLAY") for one in camera.heard))
        feed.stop()
        wait_until(lambda: relay.silent_s is not None)


def test_a_picture_over_the_limit_is_not_decoded() -> None:
    with running(Camera(size=(640, 480))) as camera:
        relay = RtspRelay(camera.url, Trust(), 10.0)
        with pytest.raises(SourceTooLargeError, match=r"640x480.*larger than 100000 pixels"):
            VideoSource("", is_live=True, timeout_s=10, max_pixels=100_000, relay=relay)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def secured(authority: trustme.CA, name: str) -> tuple[Camera, str]:
    """A camera with a certificate for a name, and the certificate's fingerprint."""
    certificate = authority.issue_cert(name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    shown = hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())).hexdigest()
    return Camera(tls=context, login="basic"), shown


def test_a_certificate_of_a_trusted_authority_and_of_the_right_name_is_taken(
    authority: trustme.CA, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    camera, _ = secured(authority, "127.0.0.1")
    with running(camera):
        assert len(pictures(open_camera(camera, Trust(ca_file=tmp_path / "ca.pem")), 3)) == 3


def test_any_other_certificate_is_refused_before_the_login(authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    for name, trust in (
        ("127.0.0.1", Trust()),
        ("somebody.else", Trust(ca_file=tmp_path / "ca.pem")),
        ("127.0.0.1", Trust(fingerprint="0" * 64)),
    ):
        camera, _ = secured(authority, name)
        failed = failure(camera, trust)
        assert isinstance(failed, SourceRefusedError)
        assert failed.kind == "CertificateError"
        assert not camera.heard


def test_a_pinned_certificate_needs_no_authority_and_no_name(authority: trustme.CA) -> None:
    camera, shown = secured(authority, "somebody.else")
    with running(camera):
        assert len(pictures(open_camera(camera, Trust(fingerprint=shown)), 3)) == 3


def test_only_a_word_in_the_settings_lets_any_certificate_pass(authority: trustme.CA) -> None:
    camera, _ = secured(authority, "somebody.else")
    with running(camera):
        assert len(pictures(open_camera(camera, Trust(verify=False)), 3)) == 3


def test_a_camera_without_tls_is_no_secured_one() -> None:
    with running(Camera()) as camera, pytest.raises(SourceError) as failed:
        VideoSource(camera.url.replace("rtsp://", "rtsps://"), is_live=True, timeout_s=SHORT_S)
    assert failed.value.kind in {"SSLError", "TimeoutError"}


def test_a_file_of_authorities_that_is_missing_or_no_certificate_is_named(tmp_path: Path) -> None:
    camera, _ = secured(trustme.CA(), "127.0.0.1")
    assert "nosuch.pem" in str(failure(camera, Trust(ca_file=tmp_path / "nosuch.pem")))
    (tmp_path / "empty.pem").write_text("nothing")
    assert "empty.pem" in str(failure(camera, Trust(ca_file=tmp_path / "empty.pem")))


def test_nobody_but_who_knows_the_relays_address_gets_at_the_camera() -> None:
    import socket

    with running(Camera()) as camera:
        relay = RtspRelay(camera.url, Trust(), 5.0)
        port = int(relay.open().split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), 5) as stranger:
            stranger.sendall(b"DESCRIBE rtsp://127.0.0.1/live RTSP/1.0\r\nCSeq: 1\r\n\r\n")
            assert stranger.recv(1000) == b""
        assert not camera.heard


def test_pictures_still_come_where_frames_are_of_every_length() -> None:
    with running(Camera(size=(640, 360))) as camera:
        source = open_camera(camera)
        with source:
            found = [one for one, _ in zip(source, range(30), strict=False)]
    assert all(isinstance(one, Decoded) and not one.is_corrupt for one in found)
