"""pip-audit is asked for every pin; what it finds, and what it cannot look up, is never a pass."""

import datetime as dt
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from supply_chain.errors import FindingError, UnavailableError
from supply_chain.vulnerability_audit import judge, main, read_accepted, unchecked

HOLE = "GHSA-0000-made-up01"
TODAY = dt.date(2030, 6, 1)
ACCEPTED = f'[[accepted]]\nid = "{HOLE}"\nwhy = "not called"\nuntil = {{until}}\n'


class Database(BaseHTTPRequestHandler):
    """An OSV database in which version 1.0 of `leaky` has a hole."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        leaks = asked["package"]["name"] == "leaky" and asked["version"] == "1.0"
        ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}]
        affected = [{"package": {"name": "leaky", "ecosystem": "PyPI"}, "ranges": ranges}]
        hole = {"id": HOLE, "modified": "2030-01-01T00:00:00Z", "summary": "made up", "affected": affected}
        answer = json.dumps({"vulns": [hole]} if leaks else {}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the library's name
        """Say nothing."""


@pytest.fixture
def database() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Database)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()
    thread.join()
    server.server_close()


def constraints(folder: Path, *pins: str) -> str:
    path = folder / "constraints.txt"
    path.write_text("".join(f"{pin} \\\n    --hash=sha256:{'0' * 64}\n" for pin in pins))
    return str(path)


def test_pins_without_a_known_hole_pass(tmp_path: Path, database: str) -> None:
    given = ["--constraints", constraints(tmp_path, "leaky==1.1", "tight==1.0"), "--", "--osv-url", database]
    assert main(given) == "no known vulnerability in 2 pinned packages"


def test_a_known_hole_fails_and_names_the_version_that_repairs_it(tmp_path: Path, database: str) -> None:
    given = ["--constraints", constraints(tmp_path, "tight==1.0", "leaky==1.0"), "--osv-url", database]
    with pytest.raises(FindingError, match=f"leaky 1.0 has {HOLE}: repaired in 1.1") as told:
        main(given)
    assert told.value.exit_code == 1


def test_without_a_database_one_sentence_says_that_nothing_was_checked(tmp_path: Path) -> None:
    given = ["--constraints", constraints(tmp_path, "tight==1.0"), "--osv-url", "http://127.0.0.1:9/v1/query"]
    with pytest.raises(UnavailableError, match=r"nothing was checked: 127\.0\.0\.1 cannot be reached$") as told:
        main(given)
    assert told.value.exit_code == 3
    assert "\n" not in str(told.value)


def report(*holes: str) -> dict[str, Any]:
    found = [{"id": one, "aliases": ["CVE-1"], "fix_versions": []} for one in holes]
    return {"dependencies": [{"name": "leaky", "version": "1.0", "vulns": found}]}


@pytest.mark.parametrize(
    ("accepted", "findings"),
    [
        ("", 1),
        (ACCEPTED.format(until="2030-06-01"), 0),
        (ACCEPTED.format(until="2030-05-31"), 1),
        (ACCEPTED.format(until="2031-01-01").replace(HOLE, "CVE-1"), 0),
        (ACCEPTED.format(until="2031-01-01").replace(HOLE, "CVE-2"), 1),
    ],
)
def test_a_hole_is_accepted_by_any_of_its_names_until_a_day(accepted: str, findings: int) -> None:
    assert len(list(judge(report(HOLE), read_accepted(accepted), TODAY))) == findings


def test_a_package_that_the_database_does_not_know_is_not_checked() -> None:
    skipped = {"dependencies": [{"name": "odd", "skip_reason": "not found"}, *report()["dependencies"]]}
    assert unchecked(skipped) == ["odd"]
