"""Start everything, watch as a subscriber would, stop everything, judge."""

import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from groundcam.audit import RunReport, audit, totals
from groundcam.demo import parts
from groundcam.demo.board import Board
from groundcam.demo.film import shoot
from groundcam.demo.gallery import write_gallery
from groundcam.demo.lives import Lives, Moment, judge
from groundcam.demo.parts import Part
from groundcam.demo.scene import SCENES, Scene
from groundcam.demo.score import score
from groundcam.demo.tally import CameraTally, summary, together
from groundcam.devkafka.broker import EmbeddedBroker
from groundcam.errors import PartError
from groundcam.frame_join import FrameJoin, JoinedFrame
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.kafka.record import Record
from groundcam_runtime.kafka.send_now import send_now
from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted
from groundcam_runtime.records import Consumed
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import CameraStatus, CameraZones, Event, Gap, decode

PARTITIONS = 2
POLL_S = 0.1
DRAIN_S = 20.0
KEPT = 1500
"""Pictures of each camera for its video; a longer demo shows its last minutes."""
MOMENTS = 8000
"""Of each camera by which events are judged: eight minutes at 16 frame/s. A longer demo is judged by its last ones."""
LEAST_FPS = 5.0
LEAST_DETECTED = 0.8


@dataclass(slots=True)
class Watch:
    """What a subscriber has seen so far."""

    scenes: dict[str, Scene]
    frame_join: FrameJoin
    events_topic: str
    tallies: dict[str, CameraTally] = field(default_factory=dict)
    seen: dict[str, deque[JoinedFrame]] = field(default_factory=dict)
    moments: dict[str, deque[Moment]] = field(default_factory=dict)
    events: dict[str, list[Event]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Know every camera from the start."""
        for name, scene in self.scenes.items():
            self.tallies[name] = CameraTally(scene.question)
            self.seen[name] = deque(maxlen=KEPT)
            self.moments[name] = deque(maxlen=MOMENTS)
            self.events[name] = []

    def take(self, record: Consumed) -> None:
        """Take a record of the frames, detections, cameras or events topic."""
        if record.partition.topic == self.events_topic:
            event = decode(Event, record.value or b"")
            self.events[event.camera_id].append(event)
            return
        found = self.frame_join.take(record)
        if isinstance(found, CameraStatus):
            self.tallies[found.camera_id].hear(found)
        elif isinstance(found, Gap):
            self.tallies[found.camera_id].messages += 1
        elif isinstance(found, JoinedFrame):
            name = found.answer.camera_id
            # The film begins again when it ends, and so do its times: a scene's own is enough to know what was there.
            known = self.scenes[name].objects((found.pts_ns or 0) / 1e9)
            self.tallies[name].see(found, score(found.answer.objects, known, found.answer.question.classes))
            self.seen[name].append(found)
            self.moments[name].append((found.answer.captured_at_ns, found.pts_ns or 0))

    def judged(self, name: str) -> Lives:
        """Compare a camera's events with its scene; of a long demo, those of the moments that are known."""
        moments = self.moments[name]
        since_ns = moments[0][0] if len(moments) == moments.maxlen else 0
        return judge(self.scenes[name], moments, self.events[name], since_ns)

    @property
    def is_over(self) -> bool:
        """Whether objects were told of, and all of them have ended."""
        told = [event for events in self.events.values() for event in events]
        return bool(told) and {one.id for one in told} == {one.id for one in told if one.end}

    @property
    def has_begun(self) -> bool:
        """Whether every camera has been answered once."""
        return all(tally.frames for tally in self.tallies.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the demo went."""

    figures: dict[str, Any]
    files: list[Path]
    faults: list[str]
    """What was not as promised; empty when all was."""


class Stopped(Exception):  # noqa: N818 - no error: the user wanted it so
    """The user has stopped the demo."""


def run(board: Board, stop: threading.Event, *, seconds: float | None, fps: float, out: Path, model: str) -> Outcome:
    """Run the demo; whatever happens, nothing is left running. Without `seconds` it is watched until `stop` is set.

    Raises PartError, BrokerError, KafkaProblem, OSError, and Stopped once `stop` is set too early.
    """
    has_begun = False

    def go_on() -> None:
        if stop.is_set() and not (has_begun and seconds is None):
            raise Stopped

    def is_over(since_s: float) -> bool:
        nonlocal has_begun
        has_begun = True
        return stop.is_set() if seconds is None else since_s >= seconds

    scenes = {scene.camera_id: scene for scene in SCENES}
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="groundcam-demo-")))
        board.say("filming two scenes ...")
        films = {name: shoot(scene, folder, go_on) for name, scene in scenes.items()}
        board.say("starting Apache Kafka ...")
        broker = stack.enter_context(EmbeddedBroker(say=board.say))
        kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers)
        running: list[Part] = []
        stack.callback(parts.stop_all, running)

        def require() -> None:
            go_on()
            _require_all(running, broker)

        try:
            board.say(
                f"starting a worker with the model {model}, a tracker, a console, an RTSP server, and two cameras ..."
            )
            _ensure_topics(kafka)
            _set_zones(kafka, scenes.values())
            _start(running, films, scenes, kafka, folder, out, board, model=model, fps=fps, require=require)
            watch = Watch(scenes, FrameJoin(kafka.topics), kafka.topics.events)
            reports, from_ns, to_ns = _watch(running, kafka, watch, board, require, is_over, out)
        except KafkaProblem:
            require()  # a Kafka that has died, or a demo that was stopped, is the better reason
            raise
        parts.stop_all(running)
    board.say("drawing what was seen ...")
    files = write_gallery(watch.seen, watch.events, out, go_on)
    return _judge(watch, reports, files, from_ns, to_ns)


def _start(
    running: list[Part],
    films: dict[str, Path],
    scenes: dict[str, Scene],
    kafka: KafkaSettings,
    folder: Path,
    out: Path,
    board: Board,
    *,
    model: str,
    fps: float,
    require: Callable[[], None],
) -> None:
    """Start all, and wait until each is there; the producer is the last one in `running`."""
    worker, ready_url = parts.worker(
        kafka, {name: scene.question for name, scene in scenes.items()}, model, out / "worker.log"
    )
    running.append(worker)
    server, address = parts.rtsp_server(folder, out / "rtsp-server.log")
    running.append(server)
    running.append(parts.tracker(kafka, out / "tracker.log"))
    page, shown, there_url = parts.console(kafka, out / "console.log")
    running.append(page)
    parts.wait_until(lambda: parts.is_ready(ready_url), require, "the worker's start")
    parts.wait_until(lambda: parts.is_ready(there_url), require, "the console's start")
    board.say(f"look at it: {shown}")
    live, *others = films
    sources = {live: f"{address}/{films[live].name}", **{name: str(films[name]) for name in others}}
    cameras = [word for name, source in sources.items() for word in ("--camera", f"{name}={source}")]
    arguments = ("produce", *cameras, "--fps", str(fps), "--loop")
    running.append(parts.groundcam("producer", kafka, out / "producer.log", *arguments))


def _watch(
    running: list[Part],
    kafka: KafkaSettings,
    watch: Watch,
    board: Board,
    require: Callable[[], None],
    is_over: Callable[[float], bool],
    out: Path,
) -> tuple[list[RunReport], int, int]:
    """Watch until it is over, stop the cameras, wait for the rest; return the audit, and when watching began and ended.

    The time counts from when every camera has been answered.
    """
    topics = kafka.topics
    with Reader(kafka, [topics.frames, topics.detections, topics.cameras, topics.events], start="beginning") as reader:
        patience = time.monotonic() + parts.START_S
        while not watch.has_begun:
            _look(reader, watch, board)
            require()
            if time.monotonic() > patience:
                raise PartError(f"not every camera was answered within {parts.START_S:.0f} s; the logs are in {out}")
        from_ns, began_s = time.time_ns(), time.monotonic()
        while not is_over(time.monotonic() - began_s):
            _look(reader, watch, board)
            require()
        to_ns = time.time_ns()
        board.say("stopping the cameras, and letting the worker finish ...")
        running.pop().stop()
        return _drain(kafka, reader, watch, board, require), from_ns, to_ns


def _look(reader: Reader, watch: Watch, board: Board) -> None:
    for record in reader.poll(POLL_S):
        watch.take(record)
    board.show(watch.tallies, time.time_ns())


def _drain(
    kafka: KafkaSettings, reader: Reader, watch: Watch, board: Board, require: Callable[[], None]
) -> list[RunReport]:
    """Read on until every frame is accounted for and every object has ended, or time runs out."""
    deadline = time.monotonic() + DRAIN_S
    while True:
        require()
        reports = audit(kafka)
        _look(reader, watch, board)
        answered = sum(tally.frames for tally in watch.tallies.values())
        total = totals(reports)
        is_through = not total.missing and answered >= total.detected and watch.is_over
        if is_through or time.monotonic() > deadline:
            return reports


def _judge(watch: Watch, reports: list[RunReport], files: list[Path], from_ns: int, to_ns: int) -> Outcome:
    total = totals(reports)
    cameras = []
    faults = []
    for name, tally in watch.tallies.items():
        mine = totals(one for one in reports if one.camera_id == name)
        figures = summary(tally, mine, from_ns, to_ns)
        cameras.append({"camera": name, "question": tally.question, **figures})
        if figures["fps"] < LEAST_FPS:
            faults.append(f"{name} got {figures['fps']} frames a second, fewer than {LEAST_FPS:.0f}")
    if total.missing:
        faults.append(f"{total.missing} frames are missing")
    if total.detected < LEAST_DETECTED * total.published:
        faults.append(f"only {total.detected} of {total.published} published frames were detected")
    lives = Lives()
    for name in watch.scenes:
        mine_lives = watch.judged(name)
        next(one for one in cameras if one["camera"] == name)["events"] = mine_lives.figures()
        lives += mine_lives
    if lives.new != lives.end:
        faults.append(f"{lives.new} objects were told of, and {lives.end} ended")
    everything = summary(together(list(watch.tallies.values())), total, from_ns, to_ns)
    return Outcome({**everything, "events": lives.figures(), "cameras": cameras}, files, faults)


def _ensure_topics(kafka: KafkaSettings) -> None:
    admin = TopicAdmin(kafka)
    try:
        admin.ensure(wanted(kafka.topics, PARTITIONS, 4 * MIB), None)
    finally:
        admin.close()


def _set_zones(kafka: KafkaSettings, scenes: Iterable[Scene]) -> None:
    zones = [CameraZones(camera_id=one.camera_id, zones=one.zones, lines=one.lines, set_by="demo") for one in scenes]
    send_now(kafka, [Record.of(kafka.topics.zones, one, one.camera_id) for one in zones], "the demo's zones")


def _require_all(running: list[Part], broker: EmbeddedBroker) -> None:
    for part in running:
        part.require_alive()
    lines = broker.died()
    if lines is not None:
        raise PartError(f"Apache Kafka ended by itself; its log ends with: {lines.strip().splitlines()[-1]}")
