"""The tables of arguments have all that there are."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from doc_blocks import ROOT
from groundcam import subscribe, subscribe_events

OF_KAFKA = {"bootstrap_servers", "settings"}
"""How to reach Kafka: told once, of `subscribe`."""


@pytest.mark.parametrize(
    ("page", "function", "elsewhere"), [("subscribing", subscribe, set()), ("events", subscribe_events, OF_KAFKA)]
)
def test_every_argument_stands_in_its_table_and_no_other(
    page: str, function: Callable[..., Any], elsewhere: set[str]
) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    table = text[text.index("| argument |") :].partition("\n\n")[0]
    told = {name for cell in re.findall(r"^\|([^|]*)\|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)}
    parameters = inspect.signature(function).parameters.values()
    there = {one.name for one in parameters if one.kind is not one.VAR_KEYWORD}
    # Any setting of `kafka` is one, too, which its row says.
    assert told - {"kafka"} == there - elsewhere
