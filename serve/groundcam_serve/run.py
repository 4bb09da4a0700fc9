"""Wire the service together and run it until it is asked to stop."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial

from groundcam_runtime.health import HealthServer, Probes
from groundcam_runtime.kafka.connect import require_crc32c
from groundcam_runtime.kafka.ends import EndWatcher
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.rights import Role, rights
from groundcam_runtime.settings import HttpSettings, KafkaSettings, TraceSettings
from groundcam_runtime.tracing import Tracing, require_tracing
from groundcam_serve.app import app_of
from groundcam_serve.door import Door
from groundcam_serve.exchange import ENVELOPE_BYTES, Exchange
from groundcam_serve.following.best_pictures import BestPictures
from groundcam_serve.following.boards import Boards
from groundcam_serve.following.figures import Figures
from groundcam_serve.following.objects import ObjectBoard
from groundcam_serve.following.sightings import Sightings
from groundcam_serve.jobs.runner import JobRunner, StartProducer
from groundcam_serve.key_file import KeyFile
from groundcam_serve.metrics import ServeMetrics
from groundcam_serve.server import require_free, serve
from groundcam_serve.settings import ServeSettings
from groundcam_serve.user_file import UserFile
from groundcam_serve.wall.wall import Wall
from groundcam_serve.worker_process import WorkerProcess

log = logging.getLogger(__name__)

DEFAULT_RECORD_BYTES = 1_000_000


async def run(
    settings: ServeSettings,
    kafka: KafkaSettings,
    http: HttpSettings,
    trace: TraceSettings,
    version: str,
    stop: threading.Event,
    *,
    worker: WorkerProcess | None = None,
    start_producer: StartProducer | None = None,
    watch: Callable[[Boards], None] = lambda _: None,
) -> None:
    """Serve until `stop` is set. Raises KafkaProblem and SettingError.

    `watch` is called with what workers are, once that is known; `start_producer` decodes films, where it can.
    """
    require_crc32c()
    require_tracing(trace)
    keys, users = KeyFile(settings.keys_file), UserFile(settings.users_file)
    largest = await asyncio.to_thread(_largest_request, kafka)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    threading.Thread(target=_pass_on, args=(stop, loop, stopping), name="stop", daemon=True).start()
    async with AsyncExitStack() as stack:
        boards = await asyncio.to_thread(Boards, kafka, loop)
        stack.push_async_callback(partial(asyncio.to_thread, boards.close))
        sightings = await asyncio.to_thread(Sightings, kafka)
        stack.push_async_callback(partial(asyncio.to_thread, sightings.close))
        objects = ObjectBoard(kafka, loop)
        stack.push_async_callback(partial(asyncio.to_thread, objects.close))
        exchange = Exchange(
            kafka, settings.name, max_waiting_bytes=2 * settings.max_waiting_bytes, max_record_bytes=largest
        )
        stack.push_async_callback(exchange.close)
        jobs = None
        if start_producer is not None:
            jobs = JobRunner(kafka, boards, start_producer, settings)
            sightings.listeners.append(jobs.take)
            stack.push_async_callback(jobs.close)
        figures = Figures()
        sightings.listeners.append(lambda answer: figures.take(answer, time.monotonic()))
        wall = ends = best = None
        if settings.console:
            wall, ends = Wall(kafka, loop), EndWatcher(kafka, [kafka.topics.frames, kafka.topics.recordings])
            ends.start()
            stack.callback(ends.close)
            sightings.listeners.append(wall.hear)
            stack.push_async_callback(wall.close)
            best = BestPictures(kafka)
            stack.push_async_callback(partial(asyncio.to_thread, best.close))
        tracing = Tracing(trace, "groundcam-serve", version)
        stack.callback(tracing.close)
        metrics = ServeMetrics(version)
        door = Door(
            settings, kafka, version, exchange, boards, sightings, figures, objects, keys, metrics, tracing,
            max_picture_bytes=largest - min(ENVELOPE_BYTES, largest // 2),
            worker=worker, jobs=jobs, wall=wall, ends=ends, best=best, users=users,
        )  # fmt: skip
        metrics.watch(lambda: _figures(door))
        health = stack.enter_context(HealthServer(http.host, http.port, metrics, _probes(door), http.names))
        if health.port:
            log.info("metrics and health on http://%s:%d", http.host, health.port)
        if settings.users_file and not (settings.is_loopback or settings.tls_cert_file or settings.trusted_proxies):
            log.warning(
                "passwords travel unencrypted: set serve.tls_cert_file, or let a proxy do it (serve.trusted_proxies)"
            )
        require_free(settings)
        scheme = "https" if settings.tls_cert_file else "http"
        log.info("serving on %s://%s:%d, /docs says what", scheme, settings.host, settings.port)
        if wall:
            log.info("the console is at %s://%s:%d/console/", scheme, settings.host, settings.port)
        watch(boards)
        await serve(app_of(door), settings, stopping)


def _pass_on(stop: threading.Event, loop: asyncio.AbstractEventLoop, stopping: asyncio.Event) -> None:
    stop.wait()
    with suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stopping.set)


def _largest_request(kafka: KafkaSettings) -> int:
    """Return what a record of a request may be, where all is there. Raises KafkaProblem."""
    admin = TopicAdmin(kafka)
    try:
        admin.require_rights(rights(Role.SERVICE, kafka.topics, ""))
        topics = kafka.topics
        admin.require(
            [topics.requests, topics.replies, topics.workers, topics.cameras, topics.prompts, topics.detections]
        )
        return admin.max_message_bytes(topics.requests) or DEFAULT_RECORD_BYTES
    finally:
        admin.close()


def _figures(door: Door) -> dict[str, float]:
    return {
        "http_waiting_pictures": door.admission.pictures,
        "http_body_bytes": door.memory.used,
        "http_streams": door.streams,
        "http_ready_workers": door.boards.ready,
        "http_late_replies": door.exchange.late,
        "http_estimated_wait_seconds": door.admission.wait_s,
        "http_viewers": door.wall.viewers if door.wall else 0,
        "http_cameras_looked_at": door.wall.tiles if door.wall else 0,
    }


def _probes(door: Door) -> Probes:
    def report() -> dict[str, object]:
        workers = [
            {"id": one.worker_id, "state": one.state.value, "model": one.asked_for} for one in door.boards.workers
        ]
        return {
            "service": {"name": door.settings.name, "run": door.exchange.run_id, "version": door.version},
            "keys": "needed" if door.keys.is_there else "none",
            "login": door.visitors.login,
            "workers": workers,
            **_figures(door),
        }

    return Probes(
        live=lambda: None,
        ready=lambda: door.exchange.kafka_trouble or door.boards.not_ready(),
        started=lambda: None,
        report=report,
    )
