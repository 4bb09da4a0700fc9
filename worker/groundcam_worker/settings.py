"""A worker's settings."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from groundcam_runtime.question_text import parse_decoys, parse_question, question_texts
from groundcam_runtime.settings import SettingsPart, Size
from groundcam_schemas import Question
from groundcam_schemas.limits import MAX_OBJECTS, CameraId, Fraction
from groundcam_schemas.questions import NMS_IOU
from groundcam_worker.policy.questions import Questions


class WorkSettings(SettingsPart):
    """What a worker does."""

    model: Annotated[str, Field(min_length=1)] = "tiny"
    """`tiny`, `base`, `demo`, a folder, a Hub id (owner/name@revision), or `fake:5ms` for a dry run."""
    device: str = "auto"
    """Where the model runs: auto, cpu, cuda or cuda:N."""
    question: tuple[str, ...] = Field(
        default=(), examples=[{"*": "person, forklift, open door", "gate": "person, bicycle"}]
    )
    """What to look for, `person, dog`, or of one camera, `gate=person, bicycle`."""
    box_threshold: Fraction = 0.3
    """The smallest score of an object; of it and the text threshold the larger applies, where a class has none."""
    text_threshold: Fraction = 0.3
    """The smallest score of a label's best word."""
    decoys: tuple[str, ...] = ()
    """What is asked besides, competes for the boxes and is never reported, as `shadow, poster of a person`."""
    nms_iou: Fraction = NMS_IOU
    """Of boxes of one class that overlap by more than this, keep the best; 1 keeps all."""
    nms_across: bool = False
    """Merge boxes of different classes that overlap so, too."""
    max_objects: Annotated[int, Field(ge=1, le=MAX_OBJECTS)] = MAX_OBJECTS
    """The most objects published of a frame, the best ones."""
    class_scores: bool = False
    """Say of each object what every class scores there, and not its own alone."""
    input_size: Size | None = None
    """Scale pictures to fit into this, as 960x544, instead of the model's own size: smaller is faster."""
    warm_sizes: tuple[Size, ...] = ((1280, 720),)
    """Sizes of pictures to be ready for, besides those that cameras have reported."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """Of weights and features, of OWLv2 and OmDet-Turbo of products; auto is fp16 on CUDA, fp32 on a CPU. Boxes of
    Grounding DINO are always fp32."""
    sampling: Literal["auto", "grid_sample", "embedding_bag", "triton"] = "auto"
    """How Grounding DINO's deformable attention reads features; auto is triton on CUDA (grid_sample where
    that cannot run), embedding_bag on a CPU."""
    cuda_graphs: bool = True
    """Record the launches of each warmed shape once and replay them."""
    compile: bool | Literal["auto", "background"] = "auto"
    """Machine code of Grounding DINO. On a CPU auto takes what `groundcam models compile` left in the cache, background
    also makes what is missing while cameras are answered, true makes it at the start, false takes none. On CUDA true is
    torch.compile for warmed shapes, which takes minutes at each start."""
    group: Annotated[str, Field(max_length=249)] = ""
    """Consumer group; its members share the frames. Named after `kafka.topic_prefix` by default, with `.fake` behind
    it where the model is fake."""
    instance_id: str | None = None
    """Name of this member, kept over restarts (static membership)."""
    transactional: bool = False
    """Publish answers and commit offsets in one transaction; needs instance_id."""
    batch_size: Annotated[int, Field(ge=1, le=256)] = 8
    """The most frames in one batch."""
    batch_wait_s: Annotated[float, Field(ge=0, le=10)] = 0.01
    """How long the first frame of a batch waits for others while the detector is busy."""
    request_share: Annotated[float, Field(ge=0, le=0.9)] = 0.2
    """Of the detector's time, for requests of `groundcam serve` while cameras wait; 0 takes no requests."""
    max_age_s: Annotated[float, Field(ge=0, le=86_400)] = 3.0
    """Live frames that would be older than this when answered are skipped and published as gaps; 0 skips none."""
    max_age_by_camera: dict[CameraId, Annotated[float, Field(ge=0, le=86_400)]] = Field(default={})
    """The same for single cameras, as `gate: 1.5`."""
    decode_threads: Annotated[int, Field(ge=1, le=64)] | None = None
    """Threads that decode JPEGs; by default 2, and beside a GPU one for each core, up to 8."""
    max_pixels: Annotated[int, Field(ge=1)] = 33_177_600
    """Larger pictures go to the dead letters."""
    max_queued_bytes: Annotated[int, Field(ge=1024)] = 64 * 1024 * 1024
    """Bytes of undecoded frames kept in memory."""
    max_picture_bytes: Annotated[int, Field(ge=1024)] = 512 * 1024 * 1024
    """Bytes of decoded pictures kept in memory; a single larger one is decoded all the same."""
    max_answer_bytes: Annotated[int, Field(ge=1024)] = 32 * 1024 * 1024
    """Bytes of answers that wait for Kafka; more pause the reading of frames."""
    drain_timeout_s: Annotated[float, Field(gt=0, le=600)] = 20.0
    """How long a stopping worker finishes what it has begun; smaller than session_timeout_s."""
    session_timeout_s: Annotated[float, Field(ge=6, le=1800)] = 30.0
    """How long the group waits for a worker that is silent."""
    json_answers: bool = False
    """Publish detections and gaps as JSON instead of msgpack."""

    @field_validator("model")
    @classmethod
    def _is_fake_in_a_known_way(cls, model: str) -> str:
        fake_seconds(model)
        return model

    @field_validator("warm_sizes", mode="before")
    @classmethod
    def _one_or_many_sizes(cls, value: object) -> object:
        return tuple(value.split(",")) if isinstance(value, str) else value

    @field_validator("question", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return question_texts(value)

    @field_validator("decoys", mode="before")
    @classmethod
    def _decoys_as_a_list(cls, value: object) -> object:
        texts = question_texts(value)
        return parse_decoys(", ".join(map(str, texts))) if isinstance(texts, tuple) else value

    @model_validator(mode="after")
    def _has_a_name_for_its_transactions(self) -> Self:
        if self.transactional and not self.instance_id:
            raise ValueError("transactional needs instance_id: it is the name by which a worker ends its predecessor")
        return self

    @model_validator(mode="after")
    def _drains_before_it_is_missed(self) -> Self:
        if self.drain_timeout_s >= self.session_timeout_s:
            raise ValueError(
                f"drain_timeout_s ({self.drain_timeout_s:g}) must be smaller than session_timeout_s"
                f" ({self.session_timeout_s:g})"
            )
        self.questions()
        return self

    def questions(self) -> Questions:
        """Return the questions to start with. Raises QuestionError."""
        pairs: list[tuple[str, Question]] = [
            parse_question(
                text,
                box_threshold=self.box_threshold,
                text_threshold=self.text_threshold,
                nms_iou=self.nms_iou,
                nms_across=self.nms_across,
                decoys=self.decoys,
                max_objects=self.max_objects,
                class_scores=self.class_scores,
            )
            for text in self.question
        ]
        return Questions(pairs)


def fake_seconds(model: str) -> float | None:
    """Return the seconds of `fake` and `fake:5ms`, None for other models. Raises ValueError."""
    name, _, wait = model.partition(":")
    if name != "fake" or Path(model).is_dir():
        return None
    if not wait:
        return 0.0
    if not wait.endswith("ms") or not wait.removesuffix("ms").replace(".", "", 1).isdigit():
        raise ValueError(f"{model!r} is not like fake:5ms")
    return float(wait.removesuffix("ms")) / 1000
