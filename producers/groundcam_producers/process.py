"""The process of one camera: what surrounds its loop. Over a pipe its parent reads beats, and tells a new tuning."""

import logging
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
import threading
import time
from multiprocessing.connection import Connection

from groundcam_producers.camera import CameraLoop
from groundcam_producers.endings import INCOMPLETE, UNUSABLE
from groundcam_producers.errors import SourceHungError, SourceUnusableError
from groundcam_producers.outbox import Outbox
from groundcam_producers.task import Beat, CameraTask
from groundcam_runtime import logs, redaction
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.publisher import Publisher
from groundcam_runtime.recurring import sum_up_all
from groundcam_runtime.settings import SettingError
from groundcam_runtime.signals import on_signal
from groundcam_runtime.tracing import Tracing
from groundcam_schemas import CameraState, new_run_id

log = logging.getLogger(__name__)

FINISH_S = 10.0
MIB = 1024 * 1024


def main(task: CameraTask, pipe: Connection) -> None:
    """Serve one camera in this process."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which the fork server ignores
    limit = task.produce.camera_memory_mib * MIB
    # Not RLIMIT_AS: mapped libraries and what is reserved only would count, and no camera could tell how much it needs.
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    logs.configure(task.log.format, task.log.level, camera=task.camera_id)
    redaction.register_url(task.camera.url.get_secret_value())
    # These reach the whole process group; the parent decides what they mean.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        code = _serve(task, pipe)
    except (KafkaProblem, SettingError) as problem:
        log.error("camera %s: %s", task.camera_id, problem)  # noqa: TRY400 - the sentence is all there is to know
        code = 1
    except Exception:
        # multiprocessing would print it itself, past the log's format and its redaction.
        log.exception("camera %s: its process fails", task.camera_id)
        code = 1
    # Not sys.exit: a native call that hangs on another thread must not delay the exit.
    sum_up_all()
    logging.shutdown()
    os._exit(code)


def _serve(task: CameraTask, pipe: Connection) -> int:
    publisher = Publisher(
        task.kafka,
        max_waiting_bytes=task.produce.max_waiting_bytes,
        max_record_bytes=task.max_record_bytes,
        client_id=f"groundcam-camera-{task.camera_id}",
        linger_ms=5 if task.produce.every_frame else 0,
    )
    run_id = new_run_id(time.time_ns())
    tracing = Tracing(task.trace, "groundcam-producer", task.version)
    outbox = Outbox(task, publisher, run_id, tracing)
    loop: CameraLoop | None = None

    def beat(sign: Beat) -> None:
        try:
            pipe.send(sign)
            while loop and pipe.poll():
                loop.retune(pipe.recv())
        except (BrokenPipeError, ConnectionResetError, EOFError):
            if loop:
                loop.stop()  # the parent is gone

    loop = CameraLoop(task, outbox, run_id, beat)
    # Again and again: a SIGTERM to the whole group is followed by our parent's.
    on_signal((signal.SIGTERM,), loop.stop)
    threading.Thread(target=_end_with_parent, args=(loop,), daemon=True).start()
    code = 0
    try:
        loop.run()
    except (SourceUnusableError, SourceHungError) as error:
        unusable = isinstance(error, SourceUnusableError)
        what = "cannot be played" if unusable else "hangs, and its process is started again"
        log.error(  # noqa: TRY400 - the sentence is all there is to know
            "camera %s: %s %s: %s", task.camera_id, task.camera.public_url, what, error
        )
        outbox.status(CameraState.OFFLINE if unusable else CameraState.STALLED, error=error.kind)
        code = UNUSABLE if unusable else 1
    except Exception:
        # What was numbered is still to be published, or told.
        log.exception("camera %s: its process fails", task.camera_id)
        code = 1
    if not outbox.finish(FINISH_S, loop.beat):
        log.error("camera %s: Kafka did not take everything in %.0f s", task.camera_id, FINISH_S)
        code = code or INCOMPLETE
    loop.beat(now=True)  # the last totals
    publisher.close(1.0)
    tracing.close()
    return code


def _end_with_parent(loop: CameraLoop) -> None:
    """End when the parent is gone: one that was killed sends no signal, and a silent camera would never notice."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        loop.stop()
        time.sleep(FINISH_S + 5)
        os._exit(1)
