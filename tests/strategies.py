"""Hypothesis strategies for every message."""

from hypothesis import strategies as st

from groundcam_schemas import (
    Attempt,
    CameraQuestion,
    CameraState,
    CameraStatus,
    ClassSpec,
    Detections,
    Frame,
    FrameRef,
    Gap,
    GapReason,
    Model,
    Object,
    Question,
    QuestionRef,
    TimingsNs,
)
from groundcam_schemas.limits import check_phrase


def is_phrase(text: str) -> bool:
    """Whether a question may ask for it."""
    try:
        check_phrase(text)
    except ValueError:
        return False
    return True


counts = st.integers(0, 2**63 - 1)
sides = st.integers(1, 65_535)
fractions = st.floats(0, 1)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
phrases = names.filter(is_phrase)
camera_ids = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)

specs = st.builds(ClassSpec, phrase=phrases, box_threshold=st.none() | fractions)
regions = st.lists(st.tuples(fractions, fractions), min_size=3, max_size=6).map(tuple)
spec_lists = st.lists(specs, min_size=1, max_size=6, unique_by=lambda spec: spec.phrase).map(tuple)
region_lists = st.lists(regions, max_size=3).map(tuple)
asks = st.builds(Question, classes=spec_lists, box_threshold=fractions, text_threshold=fractions, regions=region_lists)
questions = st.builds(
    CameraQuestion, classes=spec_lists, box_threshold=fractions, text_threshold=fractions, regions=region_lists,
    camera_id=camera_ids | st.just("*"), set_by=texts, set_at_ns=counts,
)  # fmt: skip
frames = st.builds(
    Frame, camera_id=camera_ids, run_id=names, seq=counts, captured_at_ns=counts,
    pts_ns=st.none() | st.integers(-(2**63), 2**63 - 1), width=sides, height=sides, source_width=sides,
    source_height=sides, data=st.binary(min_size=1, max_size=200), question=st.none() | asks,
)  # fmt: skip
timings = st.builds(TimingsNs, **dict.fromkeys(TimingsNs.model_fields, counts))
statuses = st.builds(
    CameraStatus, camera_id=camera_ids, state=st.sampled_from(CameraState), since_ns=counts, url=texts,
    width=st.none() | sides, height=st.none() | sides, fps=st.none() | st.floats(0, 1000), last_error=st.none() | texts,
    producer=texts, twin=st.none() | texts,
)  # fmt: skip


@st.composite
def gaps(draw: st.DrawFn) -> Gap:
    first, last = sorted(draw(st.tuples(counts, counts)))
    span = {"first_seq": first, "last_seq": last} if draw(st.booleans()) else {"from_ns": first, "to_ns": last}
    return Gap(camera_id=draw(camera_ids), run_id=draw(names), reason=draw(st.sampled_from(GapReason)), **span)


@st.composite
def detections(draw: st.DrawFn) -> Detections:
    width, height = draw(sides), draw(sides)
    classes = tuple(draw(st.lists(names, min_size=1, max_size=4, unique=True)))
    objects = []
    for _ in range(draw(st.integers(0, 4))):
        x1, x2 = sorted(draw(st.lists(st.floats(0, width), min_size=2, max_size=2, unique=True)))
        y1, y2 = sorted(draw(st.lists(st.floats(0, height), min_size=2, max_size=2, unique=True)))
        class_id = draw(st.integers(0, len(classes) - 1))
        objects.append(Object(label=classes[class_id], class_id=class_id, score=draw(fractions), box=(x1, y1, x2, y2)))
    return Detections(
        id=draw(names),
        camera_id=draw(camera_ids),
        frame=draw(st.builds(FrameRef, run_id=names, seq=counts, topic=texts, partition=counts, offset=counts)),
        captured_at_ns=draw(counts),
        source_width=width,
        source_height=height,
        question=QuestionRef(id=draw(names), version=draw(names), classes=classes),
        model=draw(st.builds(Model, name=texts, revision=texts)),
        objects=tuple(objects),
        timings_ns=draw(timings),
    )


attempts = st.builds(
    Attempt, group=texts, topic=texts, partition=counts, offset=counts, camera_id=st.none() | camera_ids,
    tries=st.integers(1, 2**31 - 1),
)  # fmt: skip
messages = st.one_of(frames, detections(), gaps(), questions, statuses, attempts)
