"""People at the console: they log in, see what their role lets them, and are gone when they are taken from the file."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from browser import PHONE, Open, Stack
from conftest import until
from groundcam.demo.film import shoot
from groundcam.demo.scene import SCENES
from groundcam.devkafka.broker import free_port
from serve_client import Client

pytestmark = pytest.mark.broker

PASSWORDS = {"olga": "a long password of hers", "vic": "another long password"}


@dataclass
class Site:
    """A console with a file of users."""

    stack: Stack
    address: str
    client: Client
    users: Path


def change(users: Path, *words: str, said: str = "") -> None:
    """Run `groundcam users`."""
    command = [sys.executable, "-m", "groundcam", "users", *words, "--file", str(users)]
    subprocess.run(command, input=said, text=True, check=True, capture_output=True)


@pytest.fixture(scope="module")
def site(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two cameras; olga is an operator, vic looks at the gate alone."""
    folder = tmp_path_factory.mktemp("login")
    users = folder / "users.yaml"
    for name, options in (("olga", ("--role", "operator")), ("vic", ("--role", "viewer", "--camera", "gate"))):
        change(users, "add", name, *options, "--password-stdin", said=PASSWORDS[name] + "\n")
    films = [f"{scene.camera_id}={shoot(scene, folder)}" for scene in SCENES]
    stack.start(
        stack.kafka, "produce", *(word for film in films for word in ("--camera", film)), "--loop", "--fps", "4"
    )
    port = free_port()
    stack.start(stack.kafka, "console", "--port", port, "--users", users)
    client = Client(port)
    until(lambda: client.is_alive, 60, "the console")
    until(lambda: len(stack.client.get("/v1/cameras").json["cameras"]) == len(SCENES), 60, "the cameras")
    return Site(stack, f"http://127.0.0.1:{port}", client, users)


@pytest.mark.parametrize("size", [(1100, 800), PHONE], ids=["wide", "phone"])
def test_a_person_logs_in_by_keyboard_and_out_again(site: Site, tab: Open, size: tuple[int, int]) -> None:
    with tab(site.address, size, allowed=("401", "403")) as shown:
        page = shown.page
        shown.go()
        page.get_by_label("Name").wait_for()
        shown.shoot(f"login-{size[0]}")
        page.keyboard.type("olga")
        page.keyboard.press("Tab")
        page.keyboard.type("a wrong password")
        page.keyboard.press("Enter")
        page.get_by_role("alert").filter(has_text="password").wait_for()
        page.get_by_label("Password").fill(PASSWORDS["olga"])
        page.keyboard.press("Enter")
        page.locator(".tile canvas.picture[data-seq]").first.wait_for()
        assert page.locator(".tile").count() == 2
        assert "groundcam_session" not in shown.read("() => document.cookie"), "no script reads it"
        page.get_by_role("button", name="Log out").click()
        page.get_by_label("Name").wait_for()
        assert site.client.get("/v1/cameras").status == 401


def test_a_viewer_sees_only_the_cameras_that_are_given_and_asks_nothing(site: Site, tab: Open) -> None:
    with tab(site.address, allowed=("401", "403", "404", "WebSocket")) as shown:
        page = shown.page
        shown.go()
        page.get_by_label("Name").fill("vic")
        page.get_by_label("Password").fill(PASSWORDS["vic"])
        page.keyboard.press("Enter")
        page.locator(".tile canvas.picture[data-seq]").first.wait_for()
        assert page.locator(".tile h2").all_inner_texts() == ["gate"]
        shown.go("#/camera/gate/question")
        page.get_by_text("Your role may not ask.").wait_for()
        assert page.get_by_role("button", name="Ask", exact=True).count() == 0
        shown.go("#/camera/yard")
        page.get_by_text("There is no camera yard").wait_for()


def test_who_is_taken_from_the_file_sees_nothing_more(site: Site, tab: Open) -> None:
    with tab(site.address, allowed=("401", "403", "WebSocket")) as shown:
        page = shown.page
        shown.go()
        page.get_by_label("Name").fill("vic")
        page.get_by_label("Password").fill(PASSWORDS["vic"])
        page.keyboard.press("Enter")
        page.locator(".tile canvas.picture[data-seq]").first.wait_for()
        change(site.users, "remove", "vic")
        page.get_by_label("Password").wait_for()
        assert page.locator(".tile").count() == 0
