"""The blocks of code in the documents, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    "README.md", "CONTRIBUTING.md", "helm/groundcam/README.md",
    "worker/groundcam_worker/checkpoints/demo_model/README.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").glob("*.md"))),
)  # fmt: skip
PROGRAMS = ("groundcam", "make", "curl", "helm", "docker", "kcat", "kafka-configs.sh", "oauth2-proxy", "mosquitto_pub")
"""What begins a command; any other line of a block is none."""
SPAN = re.compile(r"`((?:\.venv/bin/)?groundcam [^`]+)`")


@dataclass(frozen=True)
class Block:
    """Lines of code that stand together, and where."""

    document: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A program and its arguments; `where` is the document and the line of the block."""

    where: str
    words: tuple[str, ...]
    pipe: str = ""
    """What stands before it: nothing, "|", "&&"."""

    def __str__(self) -> str:
        return f"{self.where}: {shlex.join(self.words)}"


@cache
def blocks() -> list[Block]:
    """Each block of each document."""
    return [block for name in DOCUMENTS for block in blocks_of(name, (ROOT / name).read_text())]


def blocks_of(document: str, text: str) -> Iterator[Block]:
    """Return what is fenced, and what is indented by four."""
    fence, held, began = None, [], 0
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("```"):
            if fence is not None:
                yield Block(document, began, fence, "\n".join(held))
            fence, held, began = (line[3:] if fence is None else None), [], number + 1
        elif fence is not None:
            held.append(line)
        elif line.startswith("    ") or (held and not line.strip()):
            began = began if held else number
            held.append(line[4:])
        elif held:
            yield Block(document, began, "", "\n".join(held).rstrip())
            held = []
    if held and fence is None:
        yield Block(document, began, "", "\n".join(held).rstrip())


def commands(block: Block) -> list[Command]:
    """The commands of a block, those behind a pipe or an "and" of their own."""
    return [one for line in whole_lines(block) if is_command(line) for one in split(str(block), line)]


def rest(block: Block) -> str:
    """What no command is: a program in Python, settings, what is printed."""
    return "\n".join(line for line in whole_lines(block) if not is_command(line)).strip("\n")


def whole_lines(block: Block) -> list[str]:
    """Lines, each with those that it goes on in, and without the environment's folder."""
    text = re.sub(r" *\\\n *", " ", block.text)
    return [line.removeprefix(".venv/bin/") for line in text.splitlines()]


def is_command(line: str) -> bool:
    return line.split(" ", 1)[0] in PROGRAMS


def split(where: str, line: str) -> Iterator[Command]:
    """Each command of a line as a shell reads it, without comments and without files that it prints into."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    pipe, into = "", False
    for word in lexer:
        if word in {"|", "&&", ";"}:
            yield Command(where, tuple(words), pipe)
            words, pipe = [], word
        elif word == ">":
            into = True
        elif into:
            into = False
        else:
            words.append(word.removeprefix(".venv/bin/"))
    yield Command(where, tuple(words), pipe)


def all_commands(program: str) -> list[Command]:
    """Each command of the documents' blocks that calls this program."""
    return [one for block in blocks() for one in commands(block) if one.words[0] == program]


def spans() -> list[Command]:
    """Each `groundcam ...` in the text, which may be a part of a command."""
    return [
        Command(name, tuple(shlex.split(re.sub(r"\.\.\.|[][]", " ", span.removeprefix(".venv/bin/")))))
        for name in DOCUMENTS
        for span in SPAN.findall((ROOT / name).read_text())
    ]


def shown(document: str, beginning: str) -> list[str]:
    """The words, without the program, of the command that a document shows and that is so, or alone begins so."""
    there = {one.words for block in blocks() if block.document == document for one in commands(block)}
    found = {one for one in there if " ".join(one) == beginning} or {
        one for one in there if " ".join(one).startswith(beginning)
    }
    assert len(found) == 1, f"{document} shows {beginning!r} {len(found)} times: {found}"
    return list(found.pop()[1:])


def with_own(words: list[str], changes: dict[str, object]) -> list[str]:
    """Put something of the test's own in the place of what a reader replaces; each must be there."""
    text = "\0".join(words)
    for old, new in changes.items():
        assert old in text, f"{words} has no {old}"
        text = text.replace(old, str(new))
    return text.split("\0")
