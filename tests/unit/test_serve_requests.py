"""What requests of the HTTP service may be: questions, pictures, addresses; and what the settings allow."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from footage import encoded, jpeg
from forged_jpegs import START
from groundcam.settings import load
from groundcam_runtime.settings import SettingError
from groundcam_schemas import Question
from groundcam_serve import fetching
from groundcam_serve.asking import Asked, asked_in, question_of
from groundcam_serve.body import Memory, form_of, json_of
from groundcam_serve.fetching import fetch
from groundcam_serve.pictures import encoding_of, picture_of
from groundcam_serve.problems import TITLES, Problem
from groundcam_serve.settings import ServeSettings

LIMITS = (33_177_600, 4_000_000)


def refusal(work: Any, *arguments: Any) -> Problem:
    with pytest.raises(Problem) as refused:
        work(*arguments)
    return refused.value


@pytest.mark.parametrize(
    "asked", ["person, forklift:0.4", ["person", "forklift:0.4"], "person . forklift:0.4", "*=person\nforklift:0.4"]
)
def test_a_question_is_read_in_every_form_that_the_command_line_reads(asked: Any) -> None:
    question = question_of(Asked(question=asked))
    assert question.labels == ("person", "forklift")
    assert question.threshold_of(1) == 0.4


def test_every_field_of_a_question_arrives() -> None:
    region = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
    given = {
        "question": "person", "box_threshold": 0.5, "text_threshold": 0.6, "nms_iou": 0.8, "nms_across": True,
        "decoys": ["poster"], "regions": [region], "max_objects": 7, "class_scores": True,
    }  # fmt: skip
    wanted = Question.of(
        "person", box_threshold=0.5, text_threshold=0.6, nms_iou=0.8, nms_across=True, decoys=("poster",),
        regions=(region,), max_objects=7, class_scores=True,
    )  # fmt: skip
    assert question_of(Asked.model_validate(given)) == wanted
    assert set(given) == set(Asked.model_fields)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"question": " , "}, "question"),
        ({"question": "person, person"}, "question"),
        ({"question": "gate=person"}, "question"),
        ({"question": ["gate=person", "dog"]}, "question"),
        ({"question": "person:1,4"}, "question"),
        ({"question": "person", "decoys": "person"}, "question"),
        ({"question": "person", "decoys": "poster:0.5"}, "decoys"),
        ({"question": "person\u202e"}, "question"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_by_its_field(fields: dict[str, Any], field: str) -> None:
    problem = refusal(question_of, Asked.model_validate(fields))
    assert (problem.status, problem.document["field"]) == (422, field)


@pytest.mark.parametrize(
    ("texts", "field"),
    [
        ({}, "question"),
        ({"question": ""}, "question"),
        ({"question": "a", "box_threshold": "high"}, "box_threshold"),
        ({"question": "a", "box_threshold": "1.5"}, "box_threshold"),
        ({"question": "a", "box_threshold": "nan"}, "box_threshold"),
        ({"question": "a", "max_objects": "0"}, "max_objects"),
        ({"question": "a", "colour": "red"}, "colour"),
    ],
)
def test_fields_of_a_form_or_an_address_are_texts_and_refused_by_name(texts: dict[str, str], field: str) -> None:
    assert refusal(asked_in, texts).document["field"] == field


@pytest.mark.parametrize("asked", ["", [], [""], 7, None])
def test_a_question_of_nothing_is_against_the_description_already(asked: Any) -> None:
    with pytest.raises(ValidationError):
        Asked.model_validate({"question": asked})


def test_texts_become_numbers() -> None:
    asked = asked_in(
        {"question": "a", "box_threshold": ".5", "nms_across": "true", "max_objects": "3", "class_scores": "1"}
    )
    assert asked.class_scores
    assert (asked.box_threshold, asked.nms_across, asked.max_objects) == (0.5, True, 3)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_picture_is_known_by_its_first_bytes(kind: str) -> None:
    picture = picture_of(encoded(kind, 30, 20), 0, *LIMITS)
    assert (picture.encoding, picture.size) == (kind, (30, 20))


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        (b"", 415, "no JPEG, PNG or WebP"),
        (b"GIF89a", 415, "no JPEG, PNG or WebP"),
        (b"RIFF1234WAVE", 415, "no JPEG, PNG or WebP"),
        (jpeg()[:-500], 422, "its end is missing"),
        (START, 422, "picture 3"),
        (b"\x89PNG\r\n\x1a\n", 422, "does not begin with its header"),
    ],
)
def test_what_is_no_picture_is_refused_and_says_which_one_it_was(data: bytes, status: int, says: str) -> None:
    problem = refusal(picture_of, data, 3, *LIMITS)
    assert (problem.status, problem.document["picture"]) == (status, 3)
    assert says in problem.detail


def test_a_bomb_is_refused_by_its_header() -> None:
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (60_000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"
    bomb = header + b"\x00\x00\x00\x00IEND\xaeB`\x82"
    assert refusal(picture_of, bomb, 0, *LIMITS).status == 413
    wide = encoded("png", 400, 10)
    assert refusal(picture_of, wide, 0, 3999, 10**6).status == 413
    assert refusal(picture_of, wide, 0, 4000, len(wide) - 1).status == 413
    assert picture_of(wide, 0, 4000, len(wide)).size == (400, 10)


def test_the_kinds_that_are_known_are_no_more_than_three() -> None:
    assert [encoding_of(encoded(kind)) for kind in ("jpeg", "png", "webp", "bmp")] == ["jpeg", "png", "webp", None]


def settings(**options: Any) -> ServeSettings:
    return load(None, {f"serve.{name}": value for name, value in options.items()}, []).serve


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.9.1"])
def test_loopback_needs_no_keys(host: str) -> None:
    assert settings(host=host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "gpu-box", "10.0.0.1"])  # noqa: S104
def test_any_other_address_needs_keys_or_an_explicit_word(host: str) -> None:
    with pytest.raises(SettingError, match="keys_file"):
        settings(host=host)
    assert settings(host=host, open=True).host == host
    assert settings(host=host, keys_file="keys.yaml").keys_file == Path("keys.yaml")
    assert settings(host=host, users_file="users.yaml").users_file == Path("users.yaml")
    assert settings(host=host, trusted_proxies="10.0.0.0/8,::1").trusted_proxies == ("10.0.0.0/8", "::1/128")
    with pytest.raises(SettingError, match="users_file"):
        settings(host=host, trusted_proxies="10.0.0.1", proxy_user_header="")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"tls_cert_file": "a.pem"}, "tls_cert_file and tls_key_file"),
        ({"timeout_s": 61}, "timeout_s"),
        ({"name": "a/b"}, "serve.name"),
        ({"port": 0}, "serve.port"),
        ({"open": True, "users_file": "a"}, "users_file"),
        ({"open": True, "trusted_proxies": "10.0.0.1"}, "trusted_proxies"),
        ({"trusted_proxies": "0.0.0.0/0"}, r"serve\.trusted_proxies: .*everybody"),
        ({"trusted_proxies": "proxy.example"}, r"serve\.trusted_proxies: 'proxy\.example' is no address"),
        ({"proxy_role_header": "X-Role"}, "proxy_role_header needs trusted_proxies"),
        ({"proxy_role": "admin"}, "proxy_role needs trusted_proxies"),
        ({"trusted_proxies": "10.0.0.1", "proxy_role_header": "x-forwarded-user"}, "are both"),
        ({"trusted_proxies": "10.0.0.1", "proxy_user_header": "X User"}, r"serve\.proxy_user_header"),
        ({"session_hours": 0}, r"serve\.session_hours"),
    ],
)
def test_settings_that_cannot_be_are_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingError, match=says):
        settings(**options)


def test_a_problem_is_a_document_with_when_to_come_again() -> None:
    problem = Problem(503, "overloaded", "too much waits", retry_after_s=1.2)
    assert problem.headers == {"Retry-After": "2"}
    assert problem.document == {
        "type": "urn:groundcam:overloaded", "title": TITLES["overloaded"], "status": 503, "detail": "too much waits",
        "retry_after_s": 2,
    }  # fmt: skip
    assert Problem(503, "overloaded", "x", retry_after_s=0.0).headers == {"Retry-After": "1"}


def test_broken_json_is_told_from_a_wrong_field() -> None:
    assert refusal(json_of, b"{", Asked).status == 400
    assert refusal(json_of, b"\xff", Asked).status == 400
    wrong = refusal(json_of, b'{"question": "a", "nms_iou": 2}', Asked)
    assert (wrong.status, wrong.document["field"]) == (422, "nms_iou")


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary="])
def test_a_form_that_is_none_is_a_bad_request(kind: str) -> None:
    with pytest.raises(Problem) as refused:
        asyncio.run(form_of(b"--y\r\njunk", kind, 4))
    assert refused.value.status == 400


def test_memory_is_shared_and_given_back() -> None:
    async def use() -> None:
        memory = Memory(100)
        async with memory.hold(1000):
            with pytest.raises(Problem, match="in memory already"):
                async with memory.hold(1):
                    pass
        assert memory.used == 0
        async with memory.hold(60), memory.hold(40):
            assert memory.used == 100

    asyncio.run(use())


HOSTS = ("pictures.example", ".cdn.example")


@pytest.mark.parametrize(
    "url",
    [
        "http://pictures.example/a.jpg",
        "https://pictures.example:8443/a.jpg",
        "https://evil.example/a.jpg",
        "https://notcdn.example/a.jpg",
        "https://pictures.example.evil/a.jpg",
        "https://evil.example\\@pictures.example/",
        "https://pictures.example@evil.example/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/a.jpg",
        "file:///etc/passwd",
        "https://pictures.example\n/a",
        "https://pictures.example:x/",
        "https://[bad/a",
    ],
)
def test_an_address_that_is_not_allowed_is_not_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_get", lambda *_: pytest.fail("it was asked"))
    with pytest.raises(Problem) as refused:
        asyncio.run(fetch(url, 2, HOSTS, 100))
    assert (refused.value.status, refused.value.document["picture"]) == (422, 2)


def test_by_default_no_address_is_asked() -> None:
    with pytest.raises(Problem, match=r"serve\.url_hosts"):
        asyncio.run(fetch("https://pictures.example/a.jpg", 0, (), 100))


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.1.2.3"], ["169.254.169.254"], ["::1"], ["fd00::1"], ["::ffff:10.0.0.1"], ["8.8.8.8", "10.0.0.1"],
     ["100.64.0.1"], ["224.0.0.1"], ["255.255.255.255"]],
)  # fmt: skip
def test_a_name_of_an_address_of_this_network_is_refused_before_a_connection(
    addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 443)) for one in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("it was asked"))
    with pytest.raises(Problem, match="address of this network"):
        asyncio.run(fetch("https://a.cdn.example/x", 0, HOSTS, 100))


def test_the_looked_at_address_is_the_one_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("93.184.216.34", 443))])

    def connect(address: Any, *_: Any) -> Any:
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(Problem, match="ConnectionRefusedError"):
        asyncio.run(fetch("https://pictures.example/x", 0, HOSTS, 100))
    assert asked == [("93.184.216.34", 443)]


def test_asked_hides_what_it_was_given() -> None:
    with pytest.raises(ValidationError) as refused:
        Asked.model_validate({"question": "a", "secret": "hunter2"})
    assert "hunter2" not in str(refused.value)
