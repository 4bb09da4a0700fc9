"""The tables of headers say what the code says of each topic."""

import re

from doc_blocks import ROOT
from groundcam_runtime.topic_contents import contents
from groundcam_schemas import Topics
from groundcam_schemas.deadletter import PREFIX

SUBSCRIBING = (ROOT / "docs" / "subscribing.md").read_text()
SECTION = SUBSCRIBING[SUBSCRIBING.index("### Headers to choose by") : SUBSCRIBING.index("### Times")]
OF_ALL = {"content-type", "schema"}
"""What the table says of all topics but those in the second one."""


def rows(text: str) -> list[tuple[list[str], set[str]]]:
    """The topics and the headers of each row; a row without topics goes on with those above it."""
    found: list[tuple[list[str], set[str]]] = []
    for first, second in re.findall(r"^\|([^|\n]*)\|([^|\n]*)\|[^|\n]*\|$", text, re.MULTILINE):
        if first.strip() in {"topic", "---"}:
            continue
        topics = re.findall(r"`(groundcam\.[\w-]+)`", first) or (found[-1][0] if not first.strip() else [])
        found.append((topics, set(re.findall(r"`([\w.-]+)`", second))))
    return found


def told() -> dict[str, set[str]]:
    """The headers of each topic, as the page has them."""
    common, own = (rows(part) for part in SECTION.split("#### "))
    headers: dict[str, set[str]] = {}
    for topics, names in own:
        for topic in topics:
            headers.setdefault(topic, set()).update(names)
    for name in contents(Topics()):
        if name not in headers:
            headers[name] = OF_ALL | {one for topics, names in common if name in topics for one in names}
    return headers


def test_every_topic_has_the_headers_that_its_page_says_and_no_others() -> None:
    found = told()
    # A dead letter has one for each of its fields, which its schema names.
    assert found.pop("groundcam.dead-letters") == {f"{PREFIX}..."}
    held = contents(Topics())
    assert held.pop("groundcam.dead-letters").headers == ()
    assert found == {name: {one.name for one in content.headers} for name, content in held.items()}


def test_the_first_rows_are_those_of_all_topics() -> None:
    common = rows(SECTION.split("#### ")[0])
    assert [names for topics, names in common if not topics] == [{"content-type"}, {"schema"}]
