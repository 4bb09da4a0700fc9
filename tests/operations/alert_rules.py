"""The alert rules, as they are shipped and as a test can wait for them."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PATH = ROOT / "helm/groundcam/rules/groundcam.yaml"
SECONDS = {"s": 1, "m": 60, "h": 3600}
FASTER = 20
SHORTEST_S = 3
"""Three scrapes of a second each: what a range needs to see a change."""

Rule = dict[str, Any]


def rules(text: str | None = None) -> list[Rule]:
    groups = yaml.safe_load(text or PATH.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def names() -> list[str]:
    return [rule["alert"] for rule in rules()]


def changed(change: Callable[[Rule], None]) -> str:
    """The rules' file after `change` of every rule."""
    document = yaml.safe_load(PATH.read_text())
    for group in document["groups"]:
        for rule in group["rules"]:
            change(rule)
    return yaml.safe_dump(document, sort_keys=False)


def shortened() -> str:
    """The rules with every `for`, range and offset 20 times shorter, but no shorter than 3 s.

    Nothing else changes, thresholds least of all: a minute's silence of Kafka is waited for in full. So `15m` is 45 s,
    `5m` is 15 s, and `1m` is 3 s.
    """

    def shorten(rule: Rule) -> None:
        if "for" in rule:
            rule["for"] = _shorter(re.fullmatch(r"(\d+)([smh])", rule["for"]))
        rule["expr"] = re.sub(r"(?<=\[)(\d+)([smh])(?=\])", _shorter, rule["expr"])
        rule["expr"] = re.sub(r"(?<=offset )(\d+)([smh])", _shorter, rule["expr"])

    return changed(shorten)


def _shorter(match: re.Match[str] | None) -> str:
    assert match is not None, "a duration is a number and one of s, m and h"
    return f"{max(SHORTEST_S, int(match[1]) * SECONDS[match[2]] // FASTER)}s"
