"""The documents as a site, built once."""

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from browser import Open, launched, opened
from site_build import build, gather


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the site is built of."""
    folder = tmp_path_factory.mktemp("site") / "sources"
    gather(folder)
    return folder


@pytest.fixture(scope="session")
def site(sources: Path) -> Path:
    """The site."""
    done = build(sources, sources.parent / "site")
    assert done.returncode == 0, done.stdout + done.stderr
    return sources.parent / "site"


@pytest.fixture(scope="session")
def address(site: Path) -> Iterator[str]:
    """Where the site is served."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def tab() -> Iterator[Open]:
    with launched() as chromium:
        yield partial(opened, chromium)
