"""Which cameras the page shows."""

import time

from footage import jpeg
from groundcam.page.view import View
from groundcam_runtime.records import Consumed, Partition
from groundcam_schemas import (
    CameraState,
    CameraStatus,
    Detections,
    Frame,
    FrameRef,
    Gap,
    GapReason,
    Message,
    Model,
    QuestionRef,
    TimingsNs,
    Topics,
    encode,
)

TOPICS = Topics("t.")
STATUS = CameraStatus(camera_id="gate", state=CameraState.ONLINE, since_ns=1, url="film.mp4")


def record(topic: str, value: bytes | None, timestamp_ms: int = 0) -> Consumed:
    return Consumed(Partition(topic, 0), 0, timestamp_ms, b"gate", value, (), time.time_ns())


def answered(seq: int, at_ns: int) -> list[Consumed]:
    """A frame and its answer."""
    frame = Frame(camera_id="gate", run_id="run", seq=seq, captured_at_ns=at_ns, width=320, height=240, source_width=320,
                  source_height=240, data=jpeg())  # fmt: skip
    answer = Detections(
        id=f"{seq}", camera_id="gate", frame=FrameRef(run_id="run", seq=seq, topic=TOPICS.frames, partition=0, offset=seq),
        captured_at_ns=at_ns, source_width=320, source_height=240,
        question=QuestionRef(id="*", version="1", classes=("person",)), model=Model(name="m"),
        timings_ns=TimingsNs(captured=1, published_to_kafka=1, consumed=1, batched=1, inferred=1, published=1),
    )  # fmt: skip
    return [record(TOPICS.frames, encode(frame)), record(TOPICS.detections, encode(answer))]


def test_a_camera_that_is_taken_back_leaves_the_page_and_late_answers_do_not_bring_it_back() -> None:
    view = View(TOPICS, None)
    view.take([record(TOPICS.cameras, encode(STATUS)), *answered(0, 1_000_000_000)])
    assert set(shown(view)) == {"gate"}
    view.take([record(TOPICS.cameras, None, 2_000), *answered(1, 1_900_000_000), gap()])
    assert shown(view) == {}
    assert view.picture("gate") is None


def test_a_camera_that_comes_back_has_its_card_again() -> None:
    """By its state; and of one that others play, who tell none, by a newer answer."""
    for news in ([record(TOPICS.cameras, encode(STATUS))], answered(2, 2_100_000_000)):
        view = View(TOPICS, None)
        view.take([record(TOPICS.cameras, encode(STATUS)), record(TOPICS.cameras, None, 2_000), *news])
        assert set(shown(view)) == {"gate"}


def gap() -> Consumed:
    reason = GapReason.CAMERA_OFFLINE
    message: Message = Gap(camera_id="gate", run_id="run", reason=reason, from_ns=1, to_ns=2)
    return record(TOPICS.detections, encode(message))


def shown(view: View) -> dict[str, object]:
    news = view.wait(-1, 0)
    assert news
    return news[1]
