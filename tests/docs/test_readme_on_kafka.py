"""The README's own sequence, and the pages', on a real Kafka: a camera, a question, answers, events, the account."""

import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from conftest import Program, Start, environment, running, until
from doc_blocks import Block, blocks, rest, shown, with_own
from footage import rtsp_server
from groundcam.demo.film import shoot
from groundcam.demo.scene import SCENES
from groundcam.devkafka.broker import free_port
from groundcam_runtime.settings import KafkaSettings
from serve_client import Client

pytestmark = pytest.mark.broker

SCENE = SCENES[0]
README = "README.md"
Own = dict[str, object]
FORMS = {
    r"\b[0-9a-f]{12}\b": "ID",
    r"(?<=: )\d+ .*(?= \(best)": "FOUND",
    r"(?<=:\d\d )[a-z ]+(?= appeared)": "CLASS",
    r"\d+(\.\d+)?": "0",
}
BEGINS = (
    "from groundcam import subscribe\n",
    'from groundcam import subscribe_events\n\nfor event in subscribe_events("kafka',
)
"""Programs that say which Kafka they read."""


@dataclass
class Terminals:
    """What a reader has begun, and a way to begin more."""

    kafka: KafkaSettings
    start: Start
    worker: Client
    answers: Program

    def begin(self, document: str, beginning: str, own: Own | None = None, *more: object) -> Program:
        return self.start(self.kafka, *with_own(shown(document, beginning), own or {}), *more)

    def run(self, document: str, beginning: str, own: Own | None = None, code: int = 0) -> str:
        """Run what a document shows to its end; what it printed."""
        program = self.begin(document, beginning, own)
        assert program.process.wait(90) == code, program.out + program.log
        return program.out + program.log


@pytest.fixture(scope="module")
def terminals(
    cluster: str, ended: list[KafkaSettings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminals]:
    """The README's "Your own camera": topics, a worker, a camera by RTSP, somebody who watches, a tracker."""
    folder = tmp_path_factory.mktemp("terminals")
    shoot(SCENE, folder)
    (folder / "secret.txt").write_text("not asked for")
    kafka = KafkaSettings(bootstrap_servers=cluster, topic_prefix=f"t{uuid.uuid4().hex[:8]}.")
    port = free_port()
    with rtsp_server(folder) as url, running(folder) as start:
        made = start(kafka, *shown(README, "groundcam topics ensure"))
        assert made.process.wait(60) == 0, made.log
        work = with_own(
            shown(README, "groundcam work"), {"tiny": "demo", "person, forklift, open door": SCENE.question}
        )
        worker = start(kafka, *work, "--http-port", port)
        answers = start(kafka, *shown(README, "groundcam watch"))
        camera = {
            "rtsp://user@host/stream": f"{url.replace('//', '//user@')}/gate.mp4",
            "secret.txt": folder / "secret.txt",
        }
        start(kafka, *with_own(shown(README, "groundcam produce"), camera))
        start(kafka, *shown(README, "groundcam track"))
        until(lambda: "gate " in answers.out, 120, "an answer")
        assert worker.process.poll() is None
        yield Terminals(kafka, start, Client(port), answers)
    ended.append(kafka)


def form(line: str) -> str:
    """What a line that is printed looks like, whatever the numbers, classes and ids in it."""
    for pattern, word in FORMS.items():
        line = re.sub(pattern, word, line)
    return line


def printed(document: str, beginning: str) -> list[str]:
    """The lines that a document says are printed, in the block that begins so."""
    (text,) = (rest(one) for one in blocks() if one.document == document and rest(one).startswith(beginning))
    return str(text).splitlines()


def test_watch_prints_what_the_readme_says(terminals: Terminals) -> None:
    said = form(printed(README, "gate  ")[0])
    assert "FOUND" in said
    until(lambda: said in map(form, terminals.answers.out.splitlines()), 30, said)


def test_a_question_is_asked_and_its_first_answer_told(terminals: Terminals) -> None:
    own: Own = {"person, open door": SCENE.question, "poster of a person": "star"}
    said = form(printed(README, "gate: asked")[0])
    assert said == form("gate: asked; first answer after 12.5 s")
    assert said in map(form, terminals.run(README, "groundcam ask", own).splitlines())
    # That question is of a part of the picture: on a busy machine hardly anything is seen there often enough.
    again = terminals.start(terminals.kafka, "ask", "--take-back", "gate")
    assert again.process.wait(60) == 0, again.log


def test_objects_are_told_of_as_events(terminals: Terminals, tmp_path: Path) -> None:
    watching = terminals.begin("docs/events.md", "groundcam watch --events")
    until(lambda: re.search(r" appeared  [0-9a-f]{12}$", watching.out, re.MULTILINE), 60, "an event")
    assert form(printed("docs/events.md", "gate  ")[0]) in map(form, watching.out.splitlines())
    terminals.run(README, "groundcam zones set gate")
    terminals.run("docs/events.md", "groundcam zones set gate --zone yard=0.3,0.2,0.9,0.2")
    terminals.run("docs/events.md", "groundcam event list")
    found = re.search(r"appeared  ([0-9a-f]{12})$", watching.out, re.MULTILINE)
    assert found
    own: Own = {"3d5c5fe90677": found[1], "best.jpg": tmp_path / "best.jpg"}
    assert found[1] in terminals.run("docs/events.md", "groundcam event show", own)
    assert (tmp_path / "best.jpg").read_bytes().startswith(b"\xff\xd8")


def test_every_frame_is_accounted_for(terminals: Terminals) -> None:
    assert "gate" in terminals.run("docs/operating.md", "groundcam audit")
    lines = terminals.start(terminals.kafka, "cameras", "list")
    assert lines.process.wait(60) == 0
    assert lines.out.splitlines()[0].split() == printed("docs/watching.md", "CAMERA")[0].split()


def test_the_commands_that_answer_most_questions_answer(terminals: Terminals, tmp_path: Path) -> None:
    document = "docs/operating.md"
    assert "answered" in terminals.run(document, "groundcam probe")
    (tmp_path / "groundcam.yaml").write_text("work: {model: demo, question: red circle}\n")
    doctor = terminals.begin(document, "groundcam doctor", {"groundcam.yaml": tmp_path / "groundcam.yaml"})
    assert doctor.process.wait(90) in {0, 1}
    assert terminals.kafka.bootstrap_servers in doctor.out
    terminals.run(document, "groundcam dead-letters list")
    address = shown(document, "curl http://POD:8080/status")[0].replace(
        "POD:8080", f"127.0.0.1:{terminals.worker.port}"
    )
    done = subprocess.run(["curl", "-sS", address], capture_output=True, text=True, check=True, timeout=30)
    assert "demo" in done.stdout


def test_the_console_is_served(terminals: Terminals) -> None:
    client = Client(free_port())
    terminals.begin(README, "groundcam console", None, "--port", client.port)
    until(lambda: client.is_alive, 60, "the console")
    assert client.get("/console/").status == 200


@pytest.mark.parametrize("block", [one for one in blocks() if rest(one).startswith(BEGINS)], ids=str)
def test_a_program_gets_what_it_subscribes_to(terminals: Terminals, block: Block) -> None:
    """Until the first thing that it prints."""
    address = f'"{terminals.kafka.bootstrap_servers}", topic_prefix="{terminals.kafka.topic_prefix}"'
    text = re.sub(r'"(localhost|kafka-1):9092"', address, rest(block)).replace(', labels=["person"]', "")
    assert address in text
    done = subprocess.run(
        [sys.executable, "-c", f"{text}\n    break\n"],
        capture_output=True, text=True, check=True, timeout=90, env=environment(None),
    )  # fmt: skip
    assert re.search("gate|circle|square|triangle", done.stdout), done.stdout
