"""SQL over what `watch --json` prints: looked and not found is no gap, and a gap is no zero."""

from pathlib import Path
from typing import Any

import pytest

from conftest import Wait
from example_commands import Shell, command
from example_topics import NS, Filled, look
from groundcam_schemas import Detections, Gap, GapReason, encode_json
from walks import BEGIN_NS

WATCH = command("answers.jsonl")
SQL = command("import duckdb")
MINUTE = 60.0
HERE = 60 - BEGIN_NS / NS % 60
"""In seconds after the beginning: where a minute begins."""


def rows(folder: Path) -> list[dict[str, Any]]:
    """What the SQL says, of the answers in this folder."""
    import duckdb

    with duckdb.connect() as database:
        text = (folder / "duckdb" / "per_minute.sql").read_text()
        table = database.sql(text.replace("answers.jsonl", str(folder / "answers.jsonl")))
        return [dict(zip(table.columns, row, strict=True)) for row in table.fetchall()]


@pytest.mark.broker
def test_the_table_of_a_run_counts_what_groundcam_reads(in_json: Filled, shell: Shell, wait: Wait) -> None:
    answers, written = in_json.answers, shell.folder / "answers.jsonl"
    with shell.beside(WATCH, in_json.kafka):
        wait(lambda: written.exists() and written.read_bytes().count(b"\n") >= len(answers), 60, "the answers")
    assert any("forklift" in line for line in shell.read(SQL, in_json.kafka))
    table = rows(shell.folder)
    for name in ("person", "forklift", "open door"):
        for camera in ("gate", "yard"):
            asked = [one for one in in_json.detections if one.camera_id == camera and name in one.question.classes]
            mine = [row for row in table if row["camera_id"] == camera and row["class"] == name]
            assert sum(row["looked"] for row in mine) == len(asked)
            assert sum(row["objects"] or 0 for row in mine) == sum(
                thing.label == name for one in asked for thing in one.objects
            )
    (cellar,) = [row for row in table if row["camera_id"] == "cellar"]
    unasked = [one for one in answers if isinstance(one, Gap) and one.camera_id == "cellar"]
    frames = sum((one.last_seq or 0) - (one.first_seq or 0) + 1 for one in unasked)
    assert (cellar["looked"], cellar["found_in"], cellar["not_looked"]) == (0, None, frames)
    assert sum(row["away_s"] for row in table if row["camera_id"] == "gate") == pytest.approx(90, abs=0.01)


def test_not_looked_is_not_nothing_seen(shell: Shell) -> None:
    """Three minutes: one dog in three looks, none in one, and nobody who looks."""
    skipped = Gap(camera_id="gate", run_id="run-1", reason=GapReason.STALE, first_seq=4, last_seq=6)
    begin = BEGIN_NS + round((HERE + 2 * MINUTE - 5) * NS)
    away = Gap(camera_id="gate", run_id="run-1", reason=GapReason.CAMERA_OFFLINE, from_ns=begin, to_ns=begin + 65 * NS)
    answers: list[Detections | Gap] = [
        look(1, HERE + 1, classes=("dog",)),
        look(2, HERE + 2, "dog", "dog", classes=("dog",)),
        look(3, HERE + 59, classes=("dog",)),
        skipped,
        skipped,
        look(7, HERE + MINUTE + 1, classes=("dog",)),
        away,
    ]
    (shell.folder / "answers.jsonl").write_bytes(b"\n".join(map(encode_json, answers)))
    figures = [tuple(row.values())[2:] for row in rows(shell.folder)]
    assert figures == [
        ("dog", 3, 1, 2, 3, 0.0),
        ("dog", 1, 0, 0, 0, 5.0),
        ("dog", 0, None, None, 0, 60.0),
    ]
