"""Rules of objects' lives for single classes, as the settings give them."""

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from groundcam_events.settings import TrackSettings
from groundcam_events.tracking.camera import At, Camera, CameraState
from groundcam_events.tracking.rules import LifeRules
from groundcam_schemas import Cause, Event
from walks import BEGIN_NS, NS, Walker, film, followed, standing


def seconds(at_ns: int) -> float:
    return (at_ns - BEGIN_NS) / NS


def rules(**settings: object) -> LifeRules:
    return TrackSettings.model_validate(settings).rules()


def test_a_class_may_have_rules_of_its_own() -> None:
    """Others are followed by those of all, in the same camera."""
    person, dog = (
        Walker(label, standing(left, 400), 0, 10, score=0.4) for label, left in (("person", 300), ("dog", 900))
    )
    seen = list(film([person, dog], seconds=40, fps=5))

    def told_at(events: Sequence[Event], cause: Cause) -> dict[str, float]:
        return {one.label: seconds(one.last.captured_at_ns) for one in events if one.cause is cause}

    assert {one.label for one in followed(seen, rules(by_label={"dog": {"new_score": 0.5}}))[0]} == {"person"}
    assert {one.label for one in followed(seen, rules(new_score_by_label={"dog": 0.5}))[0]} == {"person"}
    assert {one.label for one in followed(seen, rules(new_score=0.5, by_label={"dog": {"new_score": 0.3}}))[0]} == {
        "dog"
    }
    late = told_at(followed(seen, rules(by_label={"dog": {"looks": 21}}))[0], Cause.APPEARED)
    assert late == {"person": pytest.approx(0.3, abs=0.3), "dog": pytest.approx(4.2, abs=0.3)}
    still = told_at(followed(seen, rules(still_s=3, by_label={"dog": {"still_s": 7}}))[0], Cause.STOPPED)
    assert still == {"person": pytest.approx(3, abs=0.3), "dog": pytest.approx(7, abs=0.3)}


def test_a_class_may_be_looked_for_longer() -> None:
    walkers = [Walker(label, standing(left, 400), 0, 10) for label, left in (("person", 300), ("dog", 900))]
    looks = list(film(walkers, seconds=40, fps=5))

    def ended_s(**settings: object) -> dict[str, float]:
        """At which look each has ended, in seconds."""
        camera = Camera(CameraState("gate"), rules(**settings))
        return {
            one.label: number / 5
            for number, look in enumerate(looks)
            for one in camera.take(look, At(0, number, 0))
            if one.end is not None
        }

    usual, longer = ended_s(), ended_s(by_label={"dog": {"lost_s": 15}})
    assert usual["person"] == usual["dog"] == longer["person"] == pytest.approx(15, abs=0.3)
    assert longer["dog"] == pytest.approx(25, abs=0.3)


def test_one_class_has_not_two_scores() -> None:
    with pytest.raises(ValidationError, match=r"new_score_by_label says 0.4 for 'dog', and by_label.dog.new_score 0.5"):
        rules(new_score_by_label={"dog": 0.4}, by_label={"dog": {"new_score": 0.5}})
    same = rules(new_score_by_label={"dog": 0.4}, by_label={"dog": {"new_score": 0.4, "lost_s": 9}})
    assert (same.of("dog").new_score, same.of("dog").tracks.lost_s) == (0.4, 9)
    assert (same.of("cat").new_score, same.of("cat").tracks.lost_s) == (0.35, 5)


def test_without_settings_the_rules_are_those_of_the_code() -> None:
    assert rules() == LifeRules()
