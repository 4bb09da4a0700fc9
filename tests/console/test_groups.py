"""Groups of cameras on the wall: made, ordered, changed and deleted, by mouse and by keyboard alone."""

import re
from typing import Any

import pytest

from browser import PHONE, WIDE, Open, Stack
from conftest import until
from groundcam.devkafka.broker import free_port

pytestmark = pytest.mark.broker

NAMES = ["dock", "gate", "pier", "yard"]
SHOWN = ".tile h2"


@pytest.fixture(scope="module")
def site(stack: Stack) -> Stack:
    """Four cameras that have told of themselves, and are away."""
    away = f"rtsp://127.0.0.1:{free_port()}/none"
    cameras = [word for name in NAMES for word in ("--camera", f"{name}={away}")]
    stack.start(stack.kafka, "produce", *cameras)
    until(lambda: len(stack.client.get("/v1/cameras").json["cameras"]) == len(NAMES), 60, "all cameras")
    return stack


def shown_are(page: Any, *names: str) -> None:
    """Wait until these cameras are on the wall, in this order."""
    page.wait_for_function(
        "([tiles, names]) => [...document.querySelectorAll(tiles)].map(one => one.textContent).join() === names",
        arg=[SHOWN, ",".join(names)],
    )


def focus_is_on(page: Any, name: str) -> None:
    """Wait until what is called so has the focus, which it gets once the page is drawn."""
    page.wait_for_function(
        "name => [document.activeElement.ariaLabel, document.activeElement.textContent, document.activeElement.tagName]"
        ".includes(name)",
        arg=name,
    )


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_group_is_made_ordered_changed_and_deleted(site: Stack, tab: Open, size: tuple[int, int]) -> None:
    with tab(site.address, size) as shown:
        page = shown.page
        button = page.get_by_role("button", name=re.compile("^(Save|Change it|New group|Delete this group)$"))
        shown.go()
        shown_are(page, *NAMES)
        page.get_by_role("button", name="New group").click()
        save = page.get_by_role("button", name="Save")
        assert save.is_disabled(), "it has no name and no camera yet"
        page.get_by_label("Name").fill("  Outside ")
        for name in ("yard", "dock", "gate"):
            page.get_by_role("button", name=f"{name}: into this group").click()
        page.get_by_role("button", name="gate: earlier").click()
        page.get_by_role("button", name="yard: not in this group").click()
        shown.shoot(f"group-{size[0]}")
        save.click()
        shown_are(page, "gate", "dock")
        page.reload()
        shown_are(page, "gate", "dock")
        assert page.get_by_label("Group").locator("option").all_inner_texts() == ["All cameras", "Outside"]
        page.get_by_role("button", name="New group").click()
        page.get_by_label("Name").fill("Outside")
        page.get_by_role("button", name="pier: into this group").click()
        page.get_by_text("Another group has this name.").wait_for()
        assert save.is_disabled()
        page.get_by_label("Name").fill("Water")
        save.click()
        shown_are(page, "pier")
        page.get_by_role("button", name="Change it").click()
        page.get_by_role("button", name="yard: into this group").click()
        save.click()
        shown_are(page, "pier", "yard")
        page.get_by_label("Group").select_option("Outside")
        shown_are(page, "gate", "dock")
        page.get_by_role("button", name="Change it").click()
        assert shown.read("() => document.documentElement.scrollWidth") <= size[0], "nothing is beside the screen"
        page.get_by_role("button", name="Delete this group").click()
        shown_are(page, *NAMES)
        assert page.get_by_label("Group").locator("option").all_inner_texts() == ["All cameras", "Water"]
        assert button.all_inner_texts() == ["New group"], "all cameras are no group that could be changed"


def test_a_group_is_made_by_keyboard_alone_and_the_focus_is_never_lost(site: Stack, tab: Open) -> None:
    with tab(site.address) as shown:
        page = shown.page
        shown.go()
        shown_are(page, *NAMES)
        page.get_by_role("button", name="New group").focus()
        page.keyboard.press("Enter")
        focus_is_on(page, "INPUT")  # the name is asked for first
        page.keyboard.type("Night")
        page.keyboard.press("Tab")
        focus_is_on(page, "dock: into this group")
        for name in ("gate", "pier", "yard"):
            page.keyboard.press("Enter")
            focus_is_on(page, f"{name}: into this group")
        page.get_by_role("button", name="pier: earlier").focus()
        page.keyboard.press("Enter")
        focus_is_on(page, "pier: earlier")
        page.keyboard.press("Enter")
        focus_is_on(page, "pier: later")  # it is the first one now, and cannot be earlier
        page.get_by_role("button", name="gate: not in this group").focus()
        page.keyboard.press("Enter")
        focus_is_on(page, "gate: into this group")
        page.get_by_label("Name").focus()
        page.keyboard.press("Enter")
        shown_are(page, "pier", "dock")
        focus_is_on(page, "Change it")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Cancel").press("Enter")
        focus_is_on(page, "Change it")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Delete this group").press("Enter")
        focus_is_on(page, "New group")


def test_a_wall_of_a_group_has_an_address_for_other_screens(site: Stack, tab: Open) -> None:
    with tab(site.address) as shown:
        page = shown.page
        shown.go()
        page.get_by_role("button", name="New group").click()
        page.get_by_label("Name").fill("West")
        for name in ("yard", "dock"):
            page.get_by_role("button", name=f"{name}: into this group").click()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("link", name="A wall of 2 cameras").click()
        assert page.url.endswith("#/?wall=yard,dock")
        shown_are(page, "yard", "dock")
        assert page.locator("header.top, .bar, form").count() == 0, "nothing is left of the page that it was"
        page.go_back()
        shown_are(page, *NAMES)
        assert page.get_by_role("button", name="Pause").get_attribute("aria-pressed") == "false"


def test_two_tabs_keep_each_others_groups(site: Stack, chromium: Any) -> None:
    with chromium.new_context() as context:
        tabs = [context.new_page() for _ in range(2)]
        for number, page in enumerate(tabs):
            page.goto(f"{site.address}/console/")
            page.get_by_role("button", name="New group").click()
            page.get_by_label("Name").fill(f"G{number}")
            page.get_by_role("button", name=f"{NAMES[number]}: into this group").click()
        for number, page in enumerate(tabs):
            page.get_by_role("button", name="Save").click()
            shown_are(page, NAMES[number])
        for page in tabs:
            page.wait_for_function("() => document.querySelectorAll('.bar option').length === 3")


def test_a_camera_that_is_named_twice_is_shown_once(site: Stack, tab: Open) -> None:
    with tab(site.address) as shown:
        shown.go("#/?wall=yard,gate,yard")
        shown_are(shown.page, "yard", "gate")


def test_what_else_lies_in_the_place_of_groups_is_no_group_and_breaks_nothing(site: Stack, tab: Open) -> None:
    with tab(site.address) as shown:
        shown.go()
        for kept in ("", "{", "7", "null", '[{"name":7}]', "[null]", '{"name":"x"}'):
            shown.read("kept => localStorage.setItem('groups', kept)", kept)
            shown.page.reload()
            shown_are(shown.page, *NAMES)
            assert shown.page.get_by_label("Group").count() == 0, kept


def test_a_group_whose_name_is_markup_and_whose_cameras_are_gone_says_so(site: Stack, tab: Open) -> None:
    name = "<img src=x onerror=alert(1)>"
    with tab(site.address) as shown:
        shown.go()
        shown.read("kept => { localStorage.setItem('groups', JSON.stringify(kept)); localStorage.setItem('group', kept[0].name) }",
                   [{"name": name, "cameras": ["attic"]}])  # fmt: skip
        shown.page.reload()
        shown.page.get_by_text("None of this group's cameras has told of itself yet").wait_for()
        assert shown.page.get_by_label("Group").locator("option").all_inner_texts() == ["All cameras", name]
