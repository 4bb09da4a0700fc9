"""The browser's own messages about events, as a desktop shows them: a virtual screen, and a program that shows them."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from browser import CHROMIUM, FLAGS, Stack, opened
from conftest import until
from told_events import tell, walk

pytestmark = pytest.mark.broker

NEEDED = ("Xvfb", "dbus-daemon", "dbus-monitor", "dunst", "dunstctl", "chromium")
"""Debian's packages xvfb, dbus, dunst and chromium; with imagemagick a picture of the screen is kept."""


@dataclass
class Desktop:
    """A screen, and what is said on its bus."""

    environment: dict[str, str]
    said: Path

    def notes(self) -> list[list[str]]:
        """Title and body of each message that was shown; the latter names the site, and then says what happened."""
        calls = re.split(r"^method call .*member=Notify$", self.said.read_text(errors="replace"), flags=re.MULTILINE)
        texts = [re.findall(r'^   string "(.*?)"$', one, flags=re.MULTILINE | re.DOTALL) for one in calls[1:]]
        return [some[2:4] for some in texts if len(some) >= 4]  # before them a program's name, and an icon

    def run(self, *command: str) -> str:
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True, timeout=30)
        return done.stdout


@contextmanager
def desktop(folder: Path) -> Iterator[Desktop]:
    with ExitStack() as stack:

        def begun(*command: str, output: Path, **environment: str) -> None:
            process = subprocess.Popen(
                command, env=os.environ | environment, stdout=stack.enter_context(output.open("w")),
                stderr=subprocess.STDOUT,
            )  # fmt: skip
            stack.callback(process.wait)
            stack.callback(process.terminate)

        def told(path: Path, pattern: str) -> str:
            until(lambda: re.search(pattern, path.read_text()) is not None, 30, pattern)
            found = re.search(pattern, path.read_text())
            assert found is not None
            return found[1]

        screen, bus, said = folder / "screen", folder / "bus", folder / "said"
        begun("Xvfb", "-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", output=screen)
        number = told(screen, r"(?m)^(\d+)$")
        begun("dbus-daemon", "--session", "--nofork", "--print-address", output=bus)
        address = told(bus, r"(?m)^(unix:\S+)$")
        where = {"DISPLAY": f":{number}", "DBUS_SESSION_BUS_ADDRESS": address}
        begun("dunst", "-print", output=folder / "dunst", **where)
        begun("dbus-monitor", "interface='org.freedesktop.Notifications'", output=said, **where)
        made = Desktop(dict(os.environ) | where, said)
        owner = ("dbus-send", "--print-reply", "--dest=org.freedesktop.DBus", "/", "org.freedesktop.DBus.NameHasOwner")
        until(lambda: "true" in made.run(*owner, "string:org.freedesktop.Notifications"), 30, "dunst")
        until(lambda: "NameAcquired" in said.read_text() or said.stat().st_size > 0, 30, "the monitor")
        yield made


def test_an_event_is_shown_by_the_desktop_once_in_a_cool_down_and_leads_to_its_page(
    stack: Stack, tmp_path: Path, wait: Callable[..., None]
) -> None:
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        pytest.skip(f"{', '.join(missing)}: not installed, so no desktop shows messages")
    person = next(one for one in walk() if one.type.value == "new" and one.label == "person")
    with desktop(tmp_path) as shown, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=False, args=FLAGS, env={**shown.environment}
        )
        # 404: of this event there is no picture.
        with opened(chromium, stack.address, (900, 500), allowed=("404",), permissions=["notifications"]) as tab:
            page = tab.page
            tab.go("#/events")
            with page.expect_request(lambda asked: "stream=true" in asked.url and "start=end" in asked.url):
                page.get_by_role("button", name="Notify me").click()
            wait(lambda: tab.read("() => Notification.permission") == "granted", 10)

            def first_is_shown() -> bool:
                """The stream begins with what comes next, so the first is told until it is heard."""
                if not shown.notes():
                    tell(stack.kafka, person)
                return bool(shown.notes())

            wait(first_is_shown, 60, "a message")
            title, body = shown.notes()[0]
            assert (title, body.split()[-1]) == ("person, gate", "appeared"), body
            wait(lambda: shown.run("dunstctl", "count", "displayed").strip() != "0", 10, "the message on the screen")
            if shutil.which("import"):
                folder = Path(os.environ.get("GROUNDCAM_TEST_PICTURES", tmp_path))
                shown.run("import", "-window", "root", str(folder / "notification.png"))
            again, other = (
                person.model_copy(update={"id": name, "camera_id": camera})
                for name, camera in (("0" * 32, "gate"), ("1" * 32, "yard"))
            )
            tell(stack.kafka, again)
            tell(stack.kafka, other)
            wait(lambda: len(shown.notes()) >= 2, 30, "the other camera's message")
            assert [title for title, _ in shown.notes()] == ["person, gate", "person, yard"], "one in a cool-down"
            shown.run("dunstctl", "action", "0")
            page.wait_for_function("() => location.hash.startsWith('#/events/')")
            assert page.url.rpartition("/")[2] in {person.id, other.id}
        chromium.close()
