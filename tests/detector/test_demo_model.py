"""The model in the box: small, real, and as good as its card says."""

import pytest

from groundcam_schemas import Question
from groundcam_worker.checkpoints.catalogue import DEMO, resolve
from groundcam_worker.errors import QuestionError


@pytest.fixture(scope="module")
def detector() -> object:
    from groundcam_worker.detectors.opening import open_detector

    return open_detector(resolve("demo"), "cpu")


def test_it_is_a_real_grounding_dino_and_a_small_file() -> None:
    import json

    config = json.loads((DEMO / "config.json").read_text())
    assert config["architectures"] == ["GroundingDinoForObjectDetection"]
    assert sum(path.stat().st_size for path in DEMO.glob("*.safetensors")) < 8_000_000
    assert (DEMO / "README.md").is_file()


@pytest.mark.parametrize(
    ("kind", "precision", "recall"), [("seen", 0.9, 0.9), ("held out", 0.75, 0.75), ("other", 0.9, 0.88)]
)
def test_it_finds_what_it_is_asked_for(detector: object, kind: str, precision: float, recall: float) -> None:
    """On scenes that training has not drawn, at the default thresholds; bounds leave room for a sample of sixty."""
    from training.evaluate import evaluate, held_out_pairs, other_drawing, seen_pairs

    draw = {"seen": seen_pairs, "held out": held_out_pairs, "other": other_drawing}[kind]
    total, _ = evaluate(detector, draw(60, 77))  # type: ignore[arg-type]
    assert total.precision is not None
    assert total.recall is not None
    assert total.precision >= precision
    assert total.recall >= recall


def test_a_word_that_it_does_not_know_is_refused_by_name(detector: object) -> None:
    with pytest.raises(QuestionError, match="'person' is not in the model's vocabulary"):
        detector.check(Question.of("red circle", "person"))  # type: ignore[attr-defined]
