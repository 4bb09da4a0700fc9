"""The console while things change under it: pauses, typing, other addresses, answers that come late, lost connections."""

import re
import time
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from browser import Open, Stack
from conftest import until
from footage import jpeg
from groundcam.demo.film import shoot
from groundcam.demo.scene import SCENES
from groundcam.devkafka.broker import free_port
from groundcam_schemas import Cause, Event, EventType
from serve_client import Client
from told_events import keep_picture, tell, walk

pytestmark = pytest.mark.broker

NOT_THERE = ("404",)
"""Of what a camera or an object has not, such as zones, the browser itself complains."""
SEQ = "() => Number(document.querySelector('canvas.picture')?.dataset.seq ?? -1)"


@pytest.fixture(scope="module")
def site(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A camera that plays a film at five frames a second, another that does, and a worker that finds something."""
    folder = tmp_path_factory.mktemp("films")
    films = [f"{scene.camera_id}={shoot(scene, folder)}" for scene in SCENES]
    stack.start(stack.kafka, "work", "--model", "fake", "--question", "person")
    cameras = [word for one in films for word in ("--camera", one)]
    stack.start(stack.kafka, "produce", *cameras, "--loop", "--fps", "5")
    until(lambda: stack.answered() >= len(SCENES), 180, "answers")
    return stack


def later(tab: Any, seq: int, by: int, within_ms: int) -> None:
    tab.page.wait_for_function(f"least => ({SEQ})() >= least", arg=seq + by, timeout=within_ms)


def test_a_picture_goes_on_at_once_after_a_pause_however_long_it_was_looked_at(site: Stack, tab: Open) -> None:
    """The service's own numbers begin anew once nobody looks: they would be behind for another twelve seconds."""
    with tab(site.address) as shown:
        page = shown.page
        shown.go("#/camera/gate")
        page.locator("canvas.picture[data-seq]").wait_for()
        later(shown, shown.read(SEQ), 60, 60_000)
        page.get_by_role("button", name="Pause").click()
        until(lambda: site.client.get("/v1/health").json["cameras_looked_at"] == 0, 20, "nobody looks")
        page.get_by_role("button", name="Go on").click()
        later(shown, shown.read(SEQ), 1, 8_000)


def test_what_is_typed_slowly_stays(site: Stack, tab: Open) -> None:
    """Cameras are asked for every three seconds, and each time the page is drawn again."""
    with tab(site.address, allowed=NOT_THERE) as shown:
        page = shown.page
        shown.go("#/camera/gate/zones")
        page.get_by_role("button", name="New zone").click()
        name = page.get_by_label("Name")
        name.press("Control+a")
        name.press_sequentially("Loading dock", delay=400)
        assert name.input_value() == "Loading dock"
        number = page.get_by_label("Corner 1, per cent across")
        number.press("Control+a")
        number.press_sequentially("12.5", delay=1200)
        assert number.input_value() == "12.5"
        assert page.get_by_role("button", name=re.compile("Loading dock.* zone")).count() == 1
        shown.go("#/camera/gate/question")
        number = page.get_by_label("Box threshold, as a number")
        number.press("Control+a")
        number.press_sequentially("0.45", delay=1200)
        assert number.input_value() == "0.45"


def event(name: str, **changes: Any) -> Event:
    """One that has just begun."""
    one = next(one for one in walk(seconds=3) if one.type is EventType.NEW)
    return one.model_copy(update={"id": f"{name:0>32}", **changes})


def test_a_filter_is_filled_in_while_events_come(site: Stack, tab: Open) -> None:
    with tab(site.address, allowed=NOT_THERE) as shown:
        page = shown.page
        shown.go("#/events")
        page.locator(".state.online").wait_for()
        page.get_by_label("Class").press_sequentially("pers")
        tell(site.kafka, event("a1", label="hat"))
        page.get_by_text("hat", exact=True).wait_for()
        page.get_by_label("Class").press_sequentially("on")
        page.get_by_label("At least").select_option("warning")
        page.get_by_role("button", name="Show").click()
        page.wait_for_function("() => location.hash === '#/events?label=person&severity=warning'")
        page.get_by_text("There is no event of that kind.").wait_for()
        assert [page.get_by_label(one).input_value() for one in ("Class", "At least")] == ["person", "warning"]


def test_a_late_answer_of_an_old_filter_and_a_stream_that_was_refused_change_nothing(site: Stack, tab: Open) -> None:
    tell(site.kafka, event("b1", label="cat"), event("b2", label="cow"))
    refused: list[str] = []

    def refuse(route: Any) -> None:
        """As a proxy does while what is behind it starts."""
        if len(refused) < 1:
            refused.append(route.request.url)
            route.fulfill(status=502, body="bad gateway")
        else:
            route.continue_()

    with tab(site.address, allowed=("404", "502", "ERR_FAILED")) as shown:
        page = shown.page
        held: list[Any] = []

        def hold(route: Any) -> None:
            held.append(route)

        page.route(re.compile(r"/v1/events\?label=cat.*limit="), hold)
        page.route(re.compile(r"/v1/events\?label=cow.*stream=true"), refuse)
        shown.go("#/events?label=cat")
        until(lambda: (page.wait_for_timeout(50), bool(held))[1], 20, "the first filter's request")
        shown.go("#/events?label=cow")
        page.locator(".object b", has_text="cow").wait_for()
        for one in held:
            one.continue_()
        page.locator(".state.online").wait_for(timeout=20_000)
        assert refused, "the stream was refused at first"
        assert page.locator(".object b").all_inner_texts() == ["cow"]
        tell(site.kafka, event("b3", label="cow"))
        page.locator(".object").nth(1).wait_for()


def test_a_better_look_brings_its_picture_though_that_comes_after_the_event(site: Stack, tab: Open) -> None:
    """They lie on two topics, and the picture is made some seconds later."""
    frame = event("d1").best.frame
    looks = [
        {"captured_at_ns": time.time_ns(), "frame": frame.model_copy(update={"seq": frame.seq + n})} for n in range(2)
    ]
    first, better = (event("d1").best.model_copy(update=one) for one in looks)
    begun = event("d1", label="owl", best=first, last=first)
    keep_picture(site.kafka, begun.id, jpeg(1, 64, 48), frame=f"{frame.run_id}/{first.frame.seq}")
    tell(site.kafka, begun)
    width = "() => document.querySelector('.best img')?.naturalWidth"
    with tab(site.address, allowed=NOT_THERE) as shown, tab(site.address, allowed=NOT_THERE) as alone:
        for one, place in ((shown, "#/events?label=owl"), (alone, f"#/events/{begun.id}")):
            one.go(place)
            one.page.wait_for_function(f"() => ({width})() === 64")
        tell(
            site.kafka,
            begun.model_copy(
                update={"n": 1, "type": EventType.UPDATE, "cause": Cause.BETTER_PICTURE, "best": better, "last": better}
            ),
        )
        alone.page.get_by_text("better picture").wait_for()
        keep_picture(site.kafka, begun.id, jpeg(2, 96, 48), frame=f"{frame.run_id}/{better.frame.seq}")
        for one in (shown, alone):
            one.page.wait_for_function(f"() => ({width})() === 96", timeout=30_000)


def test_an_object_that_is_looked_at_goes_on_before_the_eyes(site: Stack, tab: Open) -> None:
    events = [one.model_copy(update={"id": event("d2").id, "label": "elk"}) for one in walk() if one.label == "person"]
    tell(site.kafka, *events[:1])
    # Its whole life is told within a moment, and each better look begins another search for its picture.
    with tab(site.address, allowed=("404", "503")) as shown:
        shown.go(f"#/events/{events[0].id}")
        shown.page.get_by_text("in front of the camera").wait_for()
        tell(site.kafka, *events[1:])
        shown.page.get_by_text("ended: it left the picture").first.wait_for()
        assert shown.page.locator(".history li").count() == len(events)


def test_an_address_that_changes_shows_what_it_names(site: Stack, tab: Open) -> None:
    """A link that is pasted into the same page, a bookmark: nothing of what was shown before stays."""
    tell(site.kafka, event("c1", label="hen"), event("c2", label="fox"))
    keep_picture(site.kafka, event("c1").id, jpeg(1, 64, 48))
    with tab(site.address, allowed=NOT_THERE) as shown:
        page = shown.page
        shown.go(f"#/events/{event('c1').id}")
        page.get_by_role("img", name="the best picture of this hen").wait_for()
        shown.go(f"#/events/{event('c2').id}")
        page.get_by_role("heading", name="fox, gate").wait_for()
        assert page.locator(".best img").count() == 0
        shown.go(f"#/events/{'f' * 32}")
        page.get_by_text("Events", exact=True).last.wait_for()
        assert page.get_by_role("heading", name="fox, gate").count() == 0
        shown.go("#/camera/gate/question")
        page.get_by_label("Look for").fill("fire at the gate")
        shown.go("#/camera/yard/question")
        page.get_by_role("heading", name="yard").wait_for()
        assert page.get_by_label("Look for").input_value() != "fire at the gate"


@pytest.mark.parametrize("address", ["#/camera/%", "#/events?from=abc", "#/%zz", "#/events/%E0%A4%A"])
def test_an_address_that_cannot_be_read_blanks_no_page(site: Stack, tab: Open, address: str) -> None:
    with tab(site.address, allowed=("404", "400", "422")) as shown:
        shown.go(address)
        shown.page.locator("#content").wait_for()
        shown.page.get_by_role("link", name="Live", exact=True).first.click()
        shown.page.locator("[data-camera=gate]").wait_for()


def test_a_wall_of_cameras_that_are_not_there_says_so(site: Stack, tab: Open) -> None:
    with tab(site.address) as shown:
        shown.go("#/?wall=gaet")
        shown.page.get_by_text("None of these cameras has told of itself yet").wait_for()


def test_two_zones_of_one_name_are_not_saved_and_none_is_lost(site: Stack, tab: Open) -> None:
    with tab(site.address, allowed=NOT_THERE) as shown:
        page = shown.page
        shown.go("#/camera/gate/zones")
        page.get_by_role("button", name="New zone").click()
        page.get_by_role("button", name="New line").click()
        page.get_by_label("Name").fill("zone 1")
        page.get_by_role("button", name="Save").click()
        page.get_by_text('Two are called "zone 1"').wait_for()
        assert site.client.get("/v1/cameras/gate/zones").status == 404
        page.get_by_label("Name").fill("door")
        page.get_by_label("Severity").select_option("alert")
        page.get_by_role("button", name="New region").click()
        page.get_by_role("button", name="Save").click()
        page.get_by_text("A region belongs to a question").wait_for()
        assert site.client.get("/v1/cameras/gate/zones").status == 404, "all of it is saved, or nothing"
        page.get_by_role("button", name="Remove region 1").click()
        page.get_by_role("button", name="Save").click()
        page.get_by_text("Saved.").wait_for()
        saved = site.client.get("/v1/cameras/gate/zones").json
        assert (list(saved["zones"]), list(saved["lines"])) == (["zone 1"], ["door"])
        assert saved["lines"]["door"]["severity"] == "alert"


def test_a_question_that_somebody_else_has_asked_since_is_not_overwritten_unseen(site: Stack, tab: Open) -> None:
    with tab(site.address, allowed=("404", "412")) as shown:
        page = shown.page
        site.client.send("PUT", "/v1/questions/yard", {"question": "person"})
        shown.go("#/camera/yard/question")
        page.get_by_text("Asked now: person").wait_for()
        site.client.send("PUT", "/v1/questions/yard", {"question": "smoke"})
        page.get_by_text("Asked now: smoke").wait_for()
        page.get_by_label("Look for").fill("person, dog")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.locator(".question .problem").wait_for()
        assert asked(site.client) == ["smoke"]
        page.get_by_role("button", name="Ask", exact=True).click()
        until(lambda: asked(site.client) == ["person", "dog"], 20, "it is asked by somebody who has seen it")


def asked(client: Client) -> list[str]:
    said = client.get("/v1/questions/yard").json
    return [one["phrase"] for one in said["question"]["classes"]]


def test_a_page_that_is_not_taken_asks_seldom_and_says_why(site: Stack, tab: Open) -> None:
    port = free_port()
    site.start(site.kafka, "console", "--port", port, GROUNDCAM_SERVE__MAX_VIEWERS="1")
    until(lambda: Client(port).is_alive, 60, "a console of one viewer")
    address = f"http://127.0.0.1:{port}"
    with tab(address) as first, tab(address, allowed=("WebSocket",)) as second:
        first.go()
        until(lambda: Client(port).get("/v1/health").json["viewers"] == 1, 20, "the first viewer")
        sockets: list[str] = []

        def opened(socket: Any) -> None:
            sockets.append(socket.url)

        second.page.on("websocket", opened)
        second.go()
        second.page.get_by_text("there are too many viewers already").wait_for()
        second.read(WRITE_DOWN_THE_LINK)
        second.page.wait_for_timeout(4000)
        assert 2 <= len(sockets) <= 5
        assert second.read("() => window.told") == ["there are too many viewers already"], "it does not flicker"


WRITE_DOWN_THE_LINK = """() => {
  const read = () => document.querySelector(".link").textContent;
  window.told = [read()];
  new MutationObserver(() => window.told.at(-1) !== read() && window.told.push(read()))
    .observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def test_a_quarter_past_midnight_is_of_the_day_that_begins(site: Stack, tab: Open) -> None:
    read = """async () => (await import("/console/words.js")).timeOf(new Date(2026, 6, 4, 0, 15).getTime())"""
    with tab(site.address, locale="en-US", timezone_id="America/New_York") as shown:
        shown.go()
        assert shown.read(read) == "Sat, Jul 4 00:15"


def test_files_of_the_page_are_those_that_are_served(site: Stack) -> None:
    for one in files("groundcam_serve.console").joinpath("static").iterdir():
        if one.is_file() and one.name != "index.html":
            assert site.client.get(f"/console/{one.name}").status == 200, one.name
