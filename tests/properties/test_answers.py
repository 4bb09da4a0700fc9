"""Whatever a model says, and whatever is asked, the answer is one that the schema takes."""

from hypothesis import given
from hypothesis import strategies as st

from groundcam_schemas import FrameRef, Model, Question, QuestionRef, TimingsNs, decode_answer, encode
from groundcam_schemas.messages import Detections
from groundcam_worker.detectors.protocol import Detection
from groundcam_worker.policy.answers import objects_of
from strategies import region_lists, sides, spec_lists

numbers = st.floats() | st.floats(-10, 500)
found = st.lists(
    st.builds(Detection, st.integers(-1, 7), st.floats() | st.floats(0, 1), st.tuples(*[numbers] * 4)), max_size=12
)
asks = st.builds(
    Question, classes=spec_lists, regions=region_lists, max_objects=st.integers(1, 5) | st.integers(1, 1000)
)  # fmt: skip
sizes = st.tuples(sides, sides)
TIMES = TimingsNs(**dict.fromkeys(TimingsNs.model_fields, 0))


@given(found, asks, sizes, sizes)
def test_no_output_of_a_model_makes_an_answer_that_cannot_be_sent(
    detections: list[Detection], ask: Question, image: tuple[int, int], source: tuple[int, int]
) -> None:
    objects = objects_of(detections, ask, image, source)
    answer = Detections(
        id="1", camera_id="gate", frame=FrameRef(run_id="r", seq=0, topic="t", partition=0, offset=0),
        captured_at_ns=0, source_width=source[0], source_height=source[1],
        question=QuestionRef(id="*", version=ask.version, classes=ask.labels), model=Model(name="m"),
        objects=objects, timings_ns=TIMES,
    )  # fmt: skip
    assert decode_answer(encode(answer)) == answer
    assert len(objects) <= ask.max_objects
    assert [one.score for one in objects] == sorted((one.score for one in objects), reverse=True)
