"""One frame on its way through a worker."""

from dataclasses import dataclass, field, replace

from groundcam_runtime.partitions.partition import Claim
from groundcam_runtime.pictures.image import Image
from groundcam_runtime.records import Consumed
from groundcam_runtime.tracing import UNTRACED, Trace
from groundcam_schemas import FrameId, FrameRef, Question, QuestionRef, detections_id
from groundcam_schemas.messages import Detections, Model, Object, TimingsNs
from groundcam_worker.parse import Incoming, timestamp_ns

NS = 1_000_000_000


@dataclass(eq=False, slots=True)
class Item:
    """A record from Kafka, and what became of it so far."""

    record: Consumed
    claim: Claim
    id: FrameId | None = None
    incoming: Incoming | None = None
    question: QuestionRef | None = None
    ask: Question | None = None
    image: Image | None = None
    picture_size: tuple[int, int] = (0, 0)
    """Width and height of the picture, by the JPEG's header."""
    attempts: int = 1
    """How often it was tried, deaths of the process included."""
    sheddable: bool = True
    """Whether it may be skipped when it is too old; frames of recordings all count."""
    decoding_at_ns: int = 0
    decoded_at_ns: int = 0
    batched_at_ns: int = 0
    inferred_at_ns: int = 0
    said_at_ns: int = 0
    """When an answer, a gap or a dead letter was handed over for Kafka."""
    trace: Trace = UNTRACED
    objects: tuple[Object, ...] = field(default=())

    @property
    def camera(self) -> str:
        """The camera's id for metrics and keys; `unknown` where the message does not say."""
        return self.id.camera_id if self.id else "unknown"

    @property
    def picture_bytes(self) -> int:
        """Of the decoded picture."""
        return 3 * self.picture_size[0] * self.picture_size[1]

    @property
    def memory(self) -> int:
        """Bytes that it holds before it is decoded."""
        jpeg = self.incoming.jpeg if self.incoming else b""
        return self.record.size + (0 if jpeg is self.record.value else len(jpeg))

    def forget_payload(self) -> None:
        """Let go of the bytes: an item stays until Kafka has its answer, however long that takes."""
        self.record = replace(self.record, value=None)
        if self.incoming is not None:
            self.incoming = replace(self.incoming, jpeg=b"")

    def detections(self, model: Model, now_ns: int) -> Detections:
        """Return the answer to publish."""
        if self.incoming is None or self.question is None or self.id is None:
            raise RuntimeError("an answer without a frame and a question: this is a bug")
        width, height = self.incoming.source_size
        return Detections(
            id=detections_id(self.id, self.question.version, model.name, model.revision),
            camera_id=self.id.camera_id,
            frame=FrameRef(
                run_id=self.id.run_id,
                seq=self.id.seq,
                topic=self.record.partition.topic,
                partition=self.record.partition.number,
                offset=self.record.offset,
            ),
            captured_at_ns=self.incoming.captured_at_ns,
            source_width=width,
            source_height=height,
            question=self.question,
            model=model,
            objects=self.objects,
            timings_ns=TimingsNs(
                captured=self.incoming.captured_at_ns,
                published_to_kafka=timestamp_ns(self.record),
                consumed=self.record.consumed_at_ns,
                batched=self.batched_at_ns,
                inferred=self.inferred_at_ns,
                published=now_ns,
            ),
        )
