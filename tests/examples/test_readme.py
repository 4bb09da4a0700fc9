"""The table of the examples is whole."""

from example_commands import COMMANDS, EXAMPLES, command

RUN = ("watch.mjs", "frame.jpg", "EVENT_ID", "Watch.java", "PerMinute", "connect/", "answers.jsonl", "import duckdb")
"""Words of the commands that tests run."""
CODE = {".mjs", ".java", ".sql", ".properties"}


def test_every_command_of_the_readme_is_run_by_a_test() -> None:
    assert sorted(map(command, RUN)) == sorted(COMMANDS)


def test_every_program_is_short() -> None:
    files = [path for path in EXAMPLES.rglob("*") if path.suffix in CODE and "node_modules" not in path.parts]
    assert len(files) == 8
    assert max(len(path.read_text().splitlines()) for path in files) < 100
