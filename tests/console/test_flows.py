"""What people do on the console, by mouse and by keyboard, in front of the demo's scenes and a real model."""

import re
from typing import Any

import cv2
import pytest

from browser import PHONE, WIDE, Open, Stack, Tab
from conftest import until
from groundcam.demo.scene import SCENES

pytestmark = pytest.mark.broker

GATE = SCENES[0]
DRAWN = "() => Number(document.querySelector('[data-camera=gate] canvas.picture')?.dataset.seq ?? -1)"
NOT_THERE = ("404",)
"""Of what a camera has not, such as zones, the browser itself complains."""


def moves(tab: Tab, within_ms: int = 30_000) -> bool:
    """Whether the gate's picture changes within a while."""
    from playwright.sync_api import TimeoutError as NotInTimeError

    before = tab.read(DRAWN)
    try:
        tab.page.wait_for_function(f"before => ({DRAWN})() !== before", arg=before, timeout=within_ms)
    except NotInTimeError:
        return False
    return True


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_wall_shows_every_camera_and_what_it_does(site: Stack, tab: Open, size: tuple[int, int]) -> None:
    with tab(site.address, size) as shown:
        page = shown.page
        shown.go()
        page.locator("[data-camera=gate] .counts .found").first.wait_for()
        names = page.locator(".tile h2").all_inner_texts()
        assert names == ["gate", "shed", "yard"]
        assert "nothing listens at its address" in page.locator("[data-camera=shed] .empty").inner_text()
        assert re.match(r"offline since \d\d:\d\d, ", page.locator("[data-camera=shed] .empty").inner_text())
        assert page.locator("[data-camera=gate] .counts li").all_inner_texts()[1].startswith("blue square")
        assert moves(shown)
        page.keyboard.press("p")
        page.wait_for_timeout(500)
        assert not moves(shown, 2000), "it was paused"
        page.keyboard.press("p")
        assert moves(shown)
        page.get_by_role("button", name="1", exact=True).click()
        assert page.locator(".tile").count() == 1
        page.get_by_role("button", name="Next").click()
        assert page.locator(".tile h2").all_inner_texts() == ["shed"]
        page.get_by_role("button", name="Auto").click()
        width = shown.read("() => document.documentElement.scrollWidth")
        assert width <= size[0], "nothing is beside the screen"
        shown.shoot(f"wall-{size[0]}")


def test_a_wall_display_has_its_own_address(site: Stack, tab: Open) -> None:
    with tab(site.address) as shown:
        shown.go("#/?wall=gate,yard&cols=2")
        shown.page.locator("[data-camera=gate] .counts .found").first.wait_for()
        assert shown.page.locator(".tile h2").all_inner_texts() == ["gate", "yard"]
        assert shown.page.locator("header.top").count() == 0
        lit = "async () => (await navigator.permissions.query({ name: 'screen-wake-lock' })).state"
        assert shown.read(lit) == "granted"


def test_only_what_is_seen_is_read(site: Stack, tab: Open) -> None:
    """Of one camera on the page one is looked at; of a page that is left, none."""

    def looked_at() -> list[int]:
        text = site.client.get("/v1/health").json
        return [text["viewers"], text["cameras_looked_at"]]

    with tab(site.address) as shown:
        shown.go("#/?wall=gate")
        until(lambda: looked_at() == [1, 1], 20, "one viewer of one camera")
    until(lambda: looked_at() == [0, 0], 20, "nobody looks")


def test_a_camera_is_paused_stepped_and_enlarged_by_keys(site: Stack, tab: Open) -> None:
    with tab(site.address) as shown:
        page = shown.page
        shown.go("#/camera/gate")
        page.locator(".player .figures").wait_for()
        seq = "() => Number(document.querySelector('.player canvas.picture').dataset.seq)"
        for _ in range(3):
            page.wait_for_function(f"before => ({seq})() !== before", arg=shown.read(seq))
        stage = page.locator(".player .stage")
        stage.focus()
        page.keyboard.press(" ")
        frame = r"frame (\d+)"
        text = page.locator(".player .figures").inner_text
        first = int(re.search(frame, text()).group(1))  # type: ignore[union-attr]
        page.keyboard.press(",")
        assert int(re.search(frame, text()).group(1)) < first  # type: ignore[union-attr]
        page.keyboard.press(".")
        assert int(re.search(frame, text()).group(1)) == first  # type: ignore[union-attr]
        still = "() => document.querySelectorAll('.player canvas.picture')[1].toDataURL().length"
        before = shown.read(still)
        page.keyboard.press("+")
        page.keyboard.press("+")
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
        assert shown.read(still) != before
        page.keyboard.press(" ")
        page.wait_for_function("() => document.querySelectorAll('.player canvas.picture').length === 1")
        shown.shoot("camera")


def test_a_question_is_tried_asked_and_taken_back_by_keyboard_alone(site: Stack, tab: Open) -> None:
    with tab(site.address, allowed=NOT_THERE) as shown:
        page = shown.page
        shown.go("#/camera/gate/question")
        page.get_by_label("Look for").wait_for()
        page.locator(".player .figures").wait_for()
        reach(page, "textarea")
        page.keyboard.press("Control+a")
        page.keyboard.type("red star, blue circle:0.4")
        press(page, "Preview")
        page.locator(".preview li, .question .problem").first.wait_for()
        assert page.locator(".question .problem").all_inner_texts() == []
        assert "object" in page.locator(".preview li").first.inner_text()
        assert site.client.get("/v1/questions/gate").status == 404, "a preview changes nothing"
        shown.shoot("preview")
        press(page, "Ask")
        page.locator(".done", has_text="takes it").wait_for()
        page.locator(".done", has_text="First answer after").wait_for()
        asked = site.client.get("/v1/questions/gate").json["question"]
        assert [(one["phrase"], one["box_threshold"]) for one in asked["classes"]] == [
            ("red star", None),
            ("blue circle", 0.4),
        ]
        page.locator(".player .counts li", has_text="blue circle").wait_for()
        page.locator(".history li", has_text="red star, blue circle:0.4").first.wait_for()
        press(page, "Take back")
        page.locator(".done", has_text="Taken back").wait_for()
        until(lambda: site.client.get("/v1/questions/gate").status == 404, 10, "no question")


def test_a_question_that_cannot_be_is_refused_in_a_sentence(site: Stack, tab: Open) -> None:
    with tab(site.address, allowed=("404", "422")) as shown:
        page = shown.page
        shown.go("#/camera/gate/question")
        page.get_by_label("Look for").fill("person, person")
        page.get_by_role("button", name="Ask", exact=True).click()
        page.locator(".problem", has_text="twice").wait_for()


def test_zones_are_drawn_by_mouse_by_keys_and_by_numbers(site: Stack, tab: Open) -> None:
    with tab(site.address, allowed=NOT_THERE) as shown:
        page = shown.page
        shown.go("#/camera/gate/zones")
        page.get_by_role("button", name="New zone").click()
        corner = page.locator(".corner").first
        corner.wait_for()
        page.wait_for_function("() => document.querySelector('.board canvas').width === 640")
        box = page.locator(".board").bounding_box()
        page.mouse.move(*middle(corner))
        page.mouse.down()
        page.mouse.move(box["x"] + 0.1 * box["width"], box["y"] + 0.2 * box["height"], steps=5)
        page.mouse.up()
        page.locator(".corner").nth(1).focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        page.get_by_label("Corner 3, per cent across").fill("80")
        page.get_by_label("Corner 3, per cent across").press("Enter")
        page.get_by_role("button", name="A corner behind 3").click()
        page.get_by_label("Name").fill("<b>door</b>")
        page.get_by_label("Name").press("Tab")
        page.get_by_role("button", name="New line").click()
        page.get_by_role("button", name="Save").click()
        page.locator(".done", has_text="Saved").wait_for()
        zones = site.client.get("/v1/cameras/gate/zones").json
        polygon = zones["zones"]["<b>door</b>"]["polygon"]
        assert polygon[0] == pytest.approx([0.1, 0.2], abs=0.01)
        assert polygon[1] == pytest.approx([0.7, 0.35], abs=0.001)
        assert (len(polygon), polygon[2][0]) == (5, 0.8)
        assert list(zones["lines"]) == ["line 1"]
        shown.shoot("zones")
        for name in ("<b>door</b>", "line 1"):
            page.locator(".shapes button", has_text=name).click()
            page.get_by_role("button", name=f"Remove {name}").click()
        page.get_by_role("button", name="Save").click()
        page.locator(".done", has_text="Saved").wait_for()
        assert site.client.get("/v1/cameras/gate/zones").status == 404


def test_zones_are_drawn_by_a_finger_on_a_phone(site: Stack, tab: Open) -> None:
    """A finger that misses the corner by eight pixels has it all the same, and moves it, not the page."""
    with tab(site.address, PHONE, NOT_THERE, has_touch=True, is_mobile=True) as shown:
        page = shown.page
        shown.go("#/camera/gate/zones")
        page.get_by_role("button", name="New zone").tap()
        corner = page.locator(".corner").first
        corner.wait_for()
        page.wait_for_function("() => document.querySelector('.board canvas').width === 640")
        corner.scroll_into_view_if_needed()
        (x, y), box = middle(corner), page.locator(".board").bounding_box()
        to = box["x"] + 0.1 * box["width"], box["y"] + 0.2 * box["height"]
        before = page.evaluate("() => scrollY")
        finger = page.context.new_cdp_session(page)
        steps = [(x + 8, y + 8), *((x + (to[0] - x) * part / 5, y + (to[1] - y) * part / 5) for part in range(1, 6))]
        steps += [to] * 5  # it rests before it lets go: what is flung away takes the next tap to stand still
        for number, (at_x, at_y) in enumerate(steps):
            kind = "touchMove" if number else "touchStart"
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": at_x, "y": at_y}]})
            page.evaluate("() => new Promise(requestAnimationFrame)")
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert page.evaluate("() => scrollY") == before
        page.get_by_role("button", name="Save").tap()
        page.locator(".done", has_text="Saved").wait_for()
        (zone,) = site.client.get("/v1/cameras/gate/zones").json["zones"].values()
        assert zone["polygon"][0] == pytest.approx([0.1, 0.2], abs=0.01)
        shown.shoot("zones-phone")
        page.get_by_role("button", name=re.compile("^Remove zone")).tap()
        page.get_by_role("button", name="Save").tap()
        page.locator(".done", has_text="Saved").wait_for()


def test_events_come_by_themselves_are_filtered_and_have_pictures_and_links(site: Stack, tab: Open) -> None:
    with tab(site.address, allowed=NOT_THERE) as shown:
        page = shown.page
        shown.go("#/events")
        page.locator(".object img").first.wait_for()
        page.locator(".state", has_text="live").wait_for()
        page.get_by_label("Class").fill("blue square")
        page.get_by_role("button", name="Show").click()
        page.wait_for_function("() => location.hash.includes('label=blue')")
        page.wait_for_function(
            "() => [...document.querySelectorAll('.object b')].every(one => one.textContent === 'blue square')"
            " && document.querySelector('.object')"
        )
        shown.shoot("events")
        page.locator(".object a").first.click()
        page.locator(".event .path polyline").wait_for()
        assert "blue square" in page.locator("h1").inner_text()
        assert page.locator(".event ol li").first.inner_text().startswith("appeared")
        link = page.url
        shown.shoot("event")
    with tab(site.address) as other:
        other.page.goto(link)
        other.page.locator(".event .path polyline").wait_for()


def test_a_picture_is_tried_with_a_slider(site: Stack, tab: Open, tmp_path: Any) -> None:
    file = tmp_path / "picture.jpg"
    cv2.imwrite(str(file), cv2.cvtColor(GATE.picture(1.0), cv2.COLOR_RGB2BGR))
    with tab(site.address, allowed=("501",)) as shown:
        page = shown.page
        shown.go("#/serve")
        page.locator(".cards li", has_text="ready").wait_for()
        page.get_by_label("Picture").set_input_files(str(file))
        page.get_by_label("Look for").fill(GATE.question)
        page.get_by_role("button", name="Detect").click()
        page.locator(".try table tbody tr").first.wait_for()
        many = page.locator(".try table tbody tr").count()
        page.get_by_label("Threshold, as a number").fill("0.99")
        page.get_by_label("Threshold, as a number").press("Tab")
        assert page.locator(".try table tbody tr").count() < many
        page.get_by_role("button", name="Start").click()
        page.locator(".problem", has_text="run elsewhere").wait_for()
        shown.shoot("serve")


def test_health_says_in_words_what_is_wrong(site: Stack, tab: Open) -> None:
    with tab(site.address) as shown:
        shown.go("#/health")
        page = shown.page
        page.locator(".cards .online", has_text="demo").wait_for()
        row = page.locator("tr", has_text="shed")
        assert "nothing listens at its address" in row.inner_text()
        page.locator("tr", has_text="gate").get_by_text("a second").wait_for()
        shown.shoot("health")


def reach(page: Any, tag: str, name: str = "") -> None:
    """Press Tab until something has the focus."""
    page.locator("body").press("Tab")
    for _ in range(80):
        if page.evaluate(
            "([tag, name]) => document.activeElement.matches(tag) && document.activeElement.textContent.includes(name)",
            [tag, name],
        ):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"{name or tag} cannot be reached by Tab")


def press(page: Any, name: str) -> None:
    """Reach a button and press it."""
    reach(page, "button", name)
    page.keyboard.press("Enter")


def middle(of: Any) -> tuple[float, float]:
    box = of.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
