"""The job itself, the same for every rival: a frame's message and JPEG to a picture, a batch of pictures to answers.

All of it is groundcam's own code, so that what differs is what lies around it: `groundcam_schemas` reads and writes the
messages, `decode_jpeg` reads pictures, `FakeDetector` waits.
"""

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.pictures.image import Image
from groundcam_schemas import (
    MSGPACK_CONTENT_TYPE,
    Detections,
    Frame,
    FrameId,
    FrameRef,
    Question,
    QuestionRef,
    decode,
    detections_id,
    encode,
)
from groundcam_schemas.messages import TimingsNs
from groundcam_worker.detectors.fake import FakeDetector
from groundcam_worker.policy.answers import objects_of

BATCH = 8
BATCH_WAIT_S = float(os.environ.get("RIVALS_BATCH_WAIT_MS", "10")) / 1000
"""How long a batch that is not full is waited for."""
DECODE_THREADS = 2
HEADERS = {"content-type": MSGPACK_CONTENT_TYPE}

SERVERS = os.environ["GROUNDCAM_KAFKA__BOOTSTRAP_SERVERS"]
FRAMES = os.environ["GROUNDCAM_KAFKA__TOPIC_PREFIX"] + "frames"
DETECTIONS = os.environ["GROUNDCAM_KAFKA__TOPIC_PREFIX"] + "detections"
GROUP = os.environ["GROUNDCAM_WORK__GROUP"]


@dataclass(frozen=True, slots=True)
class Taken:
    """One record as it came."""

    value: bytes
    partition: int
    offset: int
    timestamp_ms: int
    consumed_at_ns: int


class Job:
    """Reads frames in a pool of threads, and answers batches."""

    def __init__(self) -> None:
        """Take the detector's wait, in ms a frame, from the command line."""
        self.pool = ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="decode")
        self._detector = FakeDetector(float(sys.argv[1]) / 1000)
        self._ask = Question.of("person")
        self._question = QuestionRef(id="*", version=self._ask.version, classes=self._ask.labels)

    def read(self, taken: Taken) -> tuple[Taken, Frame, Image]:
        """Return the frame and its picture; to be called in the pool."""
        frame = decode(Frame, taken.value)
        return taken, frame, decode_jpeg(frame.data)

    def answer(self, works: Sequence[tuple[Taken, Frame, Image]]) -> list[tuple[str, bytes]]:
        """Return the key and the message of each answer."""
        batched = time.time_ns()
        found = self._detector.detect([image for _, _, image in works], [self._ask] * len(works))
        inferred = time.time_ns()
        answers = []
        for (taken, frame, image), objects in zip(works, found, strict=True):
            height, width = image.shape[:2]
            source = frame.source_width, frame.source_height
            model = self._detector.model
            answer = Detections(
                id=detections_id(
                    FrameId(frame.camera_id, frame.run_id, frame.seq), self._question.version, model.name,
                    model.revision,
                ),
                camera_id=frame.camera_id,
                frame=FrameRef(run_id=frame.run_id, seq=frame.seq, topic=FRAMES, partition=taken.partition,
                               offset=taken.offset),
                captured_at_ns=frame.captured_at_ns,
                source_width=frame.source_width,
                source_height=frame.source_height,
                question=self._question,
                model=model,
                objects=objects_of(objects, self._ask, (width, height), source),
                timings_ns=TimingsNs(
                    captured=frame.captured_at_ns, published_to_kafka=taken.timestamp_ms * 1_000_000,
                    consumed=taken.consumed_at_ns, batched=batched, inferred=inferred, published=time.time_ns(),
                ),
            )  # fmt: skip
            answers.append((frame.camera_id, encode(answer)))
        return answers
