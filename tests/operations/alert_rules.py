"""The alert rules, as they are shipped and as a test can wait for them."""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PATH = ROOT / "helm/groundcam/rules/groundcam.yaml"
SECONDS = {"s": 1, "m": 60, "h": 3600}
RANGES, WAITS = (20, 30), (60, 2)
"""By how much a range, and a `for`, is divided, and the seconds that it keeps at least."""

Rule = dict[str, Any]


def rules(text: str | None = None, *, group: str | None = None) -> list[Rule]:
    groups = yaml.safe_load(text or PATH.read_text())["groups"]
    return [rule for one in groups if group in (None, one["name"]) for rule in one["rules"]]


def names(group: str | None = None) -> list[str]:
    return [rule["alert"] for rule in rules(group=group)]


def changed(change: Callable[[Rule], None]) -> str:
    """The rules' file after `change` of every rule."""
    document = yaml.safe_load(PATH.read_text())
    for group in document["groups"]:
        for rule in group["rules"]:
            change(rule)
    return yaml.safe_dump(document, sort_keys=False)


def shortened() -> str:
    """The rules with ranges and offsets 20 times shorter (30 s at least), and each `for` 60 times shorter (2 s at least).

    Nothing else changes, thresholds least of all: half a minute's silence of Kafka is waited for in full. A range keeps
    30 s since what it counts takes its time: a camera that is lost three times is tried again a little later each time.
    """

    def shorten(rule: Rule) -> None:
        if "for" in rule:
            rule["for"] = re.sub(r"^(\d+)([smh])$", partial(_shorter, *WAITS), rule["for"])
        rule["expr"] = re.sub(r"(?<=\[)(\d+)([smh])(?=\])", partial(_shorter, *RANGES), rule["expr"])
        rule["expr"] = re.sub(r"(?<=offset )(\d+)([smh])", partial(_shorter, *RANGES), rule["expr"])

    return changed(shorten)


def _shorter(divisor: int, least_s: int, match: re.Match[str]) -> str:
    return f"{max(least_s, int(match[1]) * SECONDS[match[2]] // divisor)}s"
