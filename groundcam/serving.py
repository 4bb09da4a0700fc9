"""What `groundcam serve` starts beside the service: a Kafka and a worker of its own, and what it says of them."""

import asyncio
import json
import logging
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import yaml

from groundcam.demo.parts import Part
from groundcam.devkafka.broker import EmbeddedBroker
from groundcam.errors import PartError
from groundcam.extras import is_there
from groundcam.settings import Settings
from groundcam.tracker_process import kafka_variables
from groundcam_runtime.kafka.topics import MIB, TopicAdmin, wanted
from groundcam_runtime.settings import KafkaSettings, SettingError
from groundcam_serve.following.boards import Boards, describe
from groundcam_serve.run import run
from groundcam_serve.worker_process import Process, WorkerProcess
from groundcam_worker.checkpoints.catalogue import resolve
from groundcam_worker.errors import ModelError
from groundcam_worker.settings import fake_seconds

log = logging.getLogger(__name__)

PARTITIONS = 2
RECORD_BYTES = 16 * MIB
LOOK_S = 0.25
DEFAULT_MODEL = "tiny"


class _Worker:
    """A `groundcam work` of ours."""

    def __init__(self, part: Part) -> None:
        self._part = part

    def stop(self) -> int:
        """As Process has it."""
        return self._part.stop()

    def died(self) -> str | None:
        """As Process has it."""
        try:
            self._part.require_alive()
        except PartError as error:
            return str(error)
        return None


async def serve_here(
    settings: Settings,
    version: str,
    stop: threading.Event,
    *,
    model: str | None,
    elsewhere: bool,
    config: Path | None = None,
) -> None:
    """Serve until `stop`, with what is needed besides. Raises BrokerError, KafkaProblem, PartError, SettingError."""
    kafka, serve = settings.kafka, settings.serve
    with ExitStack() as stack:
        if not elsewhere:
            log.info("starting Apache Kafka")
            large = {name: str(RECORD_BYTES) for name in ("message.max.bytes", "replica.fetch.max.bytes")}
            broker = stack.enter_context(EmbeddedBroker(say=log.info, properties=large))
            kafka = kafka.model_copy(update={"bootstrap_servers": broker.bootstrap_servers})
            await asyncio.to_thread(_ensure_topics, kafka)
            threading.Thread(target=_look_after, args=(broker, stop), name="broker", daemon=True).start()
            if "console" not in serve.model_fields_set:
                serve = serve.model_copy(update={"console": True})
        chosen = model or (None if elsewhere else DEFAULT_MODEL)
        worker, folder = None, Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="groundcam-serve-")))
        if chosen is not None:
            worker = stack.enter_context(_worker(kafka, folder, chosen, config))
        watching = WorkerWatch(worker, stop)
        producer = partial(_Producer, kafka, folder) if is_there("producer") else None
        await run(
            serve, kafka, settings.http, settings.trace, version, stop,
            worker=worker, start_producer=producer, watch=watching.begin,
        )  # fmt: skip


@contextmanager
def _worker(kafka: KafkaSettings, folder: Path, model: str, config: Path | None) -> Iterator[WorkerProcess]:
    """Yield what starts and replaces a worker, which ends in the end. Raises SettingError.

    It is in the group of all workers, so that no camera's frame is answered twice.
    """
    count, with_file = 0, ["--config", str(config.resolve())] if config else []

    def start(model: str) -> Process:
        nonlocal count
        count += 1
        command = [sys.executable, "-m", "groundcam", "work", "--model", model, *with_file]
        return _Worker(Part("worker", command, folder / f"worker-{count}.log", **kafka_variables(kafka)))

    worker = WorkerProcess(start, _check_model, model)
    try:
        yield worker
    finally:
        worker.end()


def _check_model(model: str) -> None:
    """Raise SettingError for a model that there is not, as far as that is known without the Hub."""
    try:
        if fake_seconds(model) is None:
            resolve(model)
    except (ModelError, ValueError) as error:
        raise SettingError(str(error)) from None


class _Producer:
    """A `groundcam produce` of every frame of one film, whose log says how many there were."""

    def __init__(self, kafka: KafkaSettings, folder: Path, camera_id: str, film: Path, fps: float | None) -> None:
        camera = {"url": str(film), "max_size": None, **({"fps": fps} if fps else {})}
        config = folder / f"{camera_id}.yaml"
        config.write_text(yaml.safe_dump({"produce": {"every_frame": True, "cameras": {camera_id: camera}}}))
        command = [sys.executable, "-m", "groundcam", "produce", "--config", str(config), "--log-format", "json"]
        self._part = Part("producer", command, folder / f"{camera_id}.log", **kafka_variables(kafka))
        self._config = config

    def wait(self) -> tuple[int | None, str]:
        """As Producing has it."""
        code = self._part.wait()
        lines = [json.loads(line) for line in self._part.log.read_text().splitlines() if line.startswith("{")]
        frames = next((line["frames"] for line in lines if "frames" in line), None)
        why = lines[-1]["message"] if lines else f"the producer ended with exit code {code}"
        return (frames, "") if code == 0 and frames is not None else (None, why)

    def stop(self) -> None:
        """As Producing has it."""
        self._part.stop()
        for path in (self._config, self._part.log):
            path.unlink(missing_ok=True)


class WorkerWatch:
    """Says on the terminal what workers are doing, whenever that changes."""

    def __init__(self, worker: WorkerProcess | None, stop: threading.Event) -> None:
        self._worker, self._stop = worker, stop
        self._said = ""

    def begin(self, boards: Boards) -> None:
        """Watch from now on, on a thread."""
        threading.Thread(target=self._watch, args=(boards,), name="workers", daemon=True).start()

    def _watch(self, boards: Boards) -> None:
        while not self._stop.wait(LOOK_S):
            died = self._worker.died() if self._worker else None
            states = [f"{one.asked_for}: {describe(one)}" for one in boards.workers]
            said = died or "; ".join(sorted(states)) or "no worker yet"
            if said != self._said:
                self._said = said
                log.info("workers: %s", said)


def _look_after(broker: EmbeddedBroker, stop: threading.Event) -> None:
    while not stop.wait(LOOK_S):
        if (lines := broker.died()) is not None:
            log.error("Apache Kafka ended by itself; the end of its log: %s", lines)
            stop.set()


def _ensure_topics(kafka: KafkaSettings) -> None:
    admin = TopicAdmin(kafka)
    try:
        admin.ensure(wanted(kafka.topics, PARTITIONS, RECORD_BYTES), None)
    finally:
        admin.close()
