"""The wall without a worker, over a restart, and what strangers do to it."""

import json
import time
from collections.abc import Iterator

import psutil
import pytest

from browser import Open, Stack
from conftest import until
from groundcam.demo.film import shoot
from groundcam.demo.scene import SCENES
from websockets import frame_of, said, upgrade

pytestmark = pytest.mark.broker

TEXT, BINARY, CLOSED = 1, 2, 8
MARKUP = "<b>bold</b><script>alert(1)</script>"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def site(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A camera, and nobody who answers."""
    film = shoot(SCENES[0], tmp_path_factory.mktemp("films"))
    stack.start(stack.kafka, "produce", "--camera", f"gate={film}", "--loop", "--fps", "5")
    until(lambda: stack.client.get("/v1/cameras").json["cameras"], 60, "the camera")
    return stack


def test_pictures_are_shown_without_a_worker_and_say_that_nobody_answers(site: Stack, tab: Open) -> None:
    with tab(site.address) as shown:
        shown.go()
        shown.page.locator("[data-camera=gate] .note", has_text="nobody answers").wait_for()
        seq = "() => Number(document.querySelector('[data-camera=gate] canvas')?.dataset.seq)"
        before = shown.read(seq)
        shown.page.wait_for_function(f"before => ({seq})() > before + 3", arg=before)
        shown.page.locator(".problem", has_text="No worker is ready").wait_for()
        shown.shoot("nobody-answers")


def test_markup_in_a_question_is_text(site: Stack, tab: Open) -> None:
    asked = site.client.send(
        "PUT", "/v1/questions/gate?wait_s=0", {"question": f"{MARKUP}, person", "decoys": "<i>other</i>"}
    )
    assert asked.status == 200, asked.body
    with tab(site.address, allowed=("404",)) as shown:  # of what is not there
        shown.page.on("dialog", lambda dialog: shown.complaints.append(dialog.message))
        for place, title in (
            ("#/camera/gate/question", "gate · camera"),
            ("#/question", "question"),
            (f"#/camera/{MARKUP.replace('/', '')}", "camera"),
            (f"#/events/{'0' * 32}", f"{'0' * 32} · events"),
        ):
            shown.go(place.replace(" ", "%20"))
            shown.page.wait_for_function("title => document.title.includes(title)", arg=title)
            shown.page.locator("main h1, main .lead").first.wait_for()
            shown.page.wait_for_timeout(500)
            assert shown.page.locator("main b", has_text="bold").filter(has_not_text="<b>").count() == 0
            assert shown.page.locator("main script").count() == 0
        shown.go("#/camera/gate/question")
        shown.page.locator(".asked", has_text=MARKUP).wait_for()


def test_a_page_of_another_site_gets_no_socket(site: Stack) -> None:
    port = site.client.port
    for headers, status in (
        ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Host": "evil.example"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403), ({"Origin": f"http://127.0.0.1:{port}"}, 101),
    ):  # fmt: skip
        connection, got = upgrade(port, **headers)
        connection.close()
        assert got == status, headers


def test_who_says_something_else_is_told_why_and_closed(site: Stack) -> None:
    connection, status = upgrade(site.client.port)
    assert status == 101
    with connection:
        connection.sendall(said({"watch": {"gate": {"width": -1}}}))
        kind, content = frame_of(connection)
        assert kind == CLOSED
        assert int.from_bytes(content[:2], "big") == 1008
        assert b"width" in content


def test_who_asks_for_a_reply_is_told_that_it_is_served(site: Stack) -> None:
    connection, _ = upgrade(site.client.port)
    with connection:
        connection.sendall(said({"watch": {}, "reply": True}))
        assert frame_of(connection) == (TEXT, b'{"watching":[]}')


def test_who_asks_for_replies_is_told_why_it_is_left_however_much_it_says(site: Stack) -> None:
    """The server drops a connection behind its close frame; who speaks then would find it broken, and read nothing."""
    cut, _ = upgrade(site.client.port)
    with cut:
        cut.sendall(said({"watch": {}, "reply": True}) + said({"shout": 1}) + said({"drawn": "gate"}) * 100)
        assert frame_of(cut)[1] == b'{"watching":[]}'
        kind, content = frame_of(cut)
        assert (kind, json.loads(content)["closing"]) == (TEXT, 1008)
        begun = time.monotonic()
        assert frame_of(cut)[0] == CLOSED
        assert time.monotonic() - begun > 1, "it may read that in peace"


def test_pictures_come_only_as_fast_as_they_are_taken(site: Stack) -> None:
    connection, _ = upgrade(site.client.port)
    with connection:
        connection.sendall(said({"watch": {"gate": {"width": 320}}}))
        kind, content = frame_of(connection)
        header = json.loads(content[4 : 4 + int.from_bytes(content[:4], "little")])
        assert (kind, header["camera"], header["gap"], header["answer"]) == (BINARY, "gate", None, None)
        frame_of(connection)
        connection.settimeout(1.5)
        with pytest.raises(TimeoutError):
            frame_of(connection)
        connection.sendall(said({"drawn": "gate"}))
        frame_of(connection)


def test_a_thousand_sockets_that_read_nothing_cost_nobody_else_anything(site: Stack, tab: Open) -> None:
    """64 may look; the others are told that there is no room; no memory is lost to any of them."""
    server = psutil.Process(site.console.process.pid)
    before = server.memory_info().rss
    connections = [upgrade(site.client.port)[0] for _ in range(1000)]
    try:
        for one in connections:
            try:
                one.sendall(said({"watch": {"gate": {"width": 0}}}))
            except OSError:
                continue  # it was closed, as it should be
        until(lambda: site.client.get("/v1/health").json["viewers"] == 64, 20, "as many viewers as may look")
        assert site.client.get("/v1/cameras").status == 200
        until(lambda: site.client.get("/v1/health").json["viewers"] < 64, 60, "those that take nothing go")
        assert server.memory_info().rss - before < 150 * MIB
    finally:
        for one in connections:
            one.close()
    with tab(site.address) as shown:
        shown.go()
        shown.page.locator("[data-camera=gate] .note").wait_for()


def test_a_console_that_was_killed_is_found_again(site: Stack, tab: Open) -> None:
    with tab(site.address, allowed=("ERR_", "WebSocket connection", "Failed to load")) as shown:
        shown.go()
        seq = "() => Number(document.querySelector('[data-camera=gate] canvas')?.dataset.seq ?? -1)"
        shown.page.wait_for_function(f"() => ({seq})() >= 0")
        site.console.process.kill()
        site.console.process.wait()
        shown.page.locator(".link", has_text="No connection").wait_for()
        before = shown.read(seq)
        site.console = site.start(site.kafka, "console", "--port", site.client.port)
        until(lambda: site.client.is_alive, 120, "the console again")
        shown.page.wait_for_function(f"before => ({seq})() > before", arg=before)
        shown.page.wait_for_function("() => document.querySelector('.link').textContent === ''")
