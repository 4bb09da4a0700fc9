"""Which frames get a picture, and when."""

from groundcam_events.tracking.best_pictures import AGAIN_S, MOST_WAITING, SETTLE_S, BestPictures
from groundcam_schemas import EndReason, Event
from walks import Walker, film, followed, standing

(FIRST, *_), _CAMERA = followed(film([Walker("person", standing(300, 400))], seconds=3, fps=5))


def better(seq: int, n: int = 1) -> Event:
    look = FIRST.best
    frame = look.frame.model_copy(update={"seq": seq})
    return FIRST.model_copy(update={"n": n, "best": look.model_copy(update={"frame": frame})})


def test_a_look_that_stands_for_a_while_gets_a_picture_and_one_that_is_beaten_before_gets_none() -> None:
    best = BestPictures()
    best.hear(FIRST, 0.0)
    assert best.due(SETTLE_S - 0.1) is None
    best.hear(better(7), SETTLE_S - 0.1)
    assert best.due(SETTLE_S + 0.1) is None, "the newer one is not settled yet"
    wanted = best.due(2 * SETTLE_S)
    assert wanted is not None
    assert (wanted.event_id, wanted.sighting.frame.seq, wanted.source_size) == (FIRST.id, 7, (1000, 500))
    best.hear(better(7), 100.0)
    assert best.due(200.0) is None, "it has its picture"


def test_an_object_that_goes_on_gets_another_one_seldom() -> None:
    best = BestPictures()
    best.hear(FIRST, 0.0)
    assert best.due(SETTLE_S) is not None
    best.hear(better(9), 5.0)
    assert best.due(SETTLE_S + AGAIN_S - 0.1) is None
    assert best.due(SETTLE_S + AGAIN_S) is not None


def test_an_object_that_has_ended_gets_its_picture_at_once() -> None:
    events, camera = followed(film([Walker("person", standing(300, 400))], seconds=3, fps=5))
    (end,) = camera.end_all(EndReason.LOST)
    best = BestPictures()
    best.hear(events[0], 0.0)
    best.hear(end, 0.1)
    assert best.due(0.1) is not None


def test_what_waits_is_bounded_and_what_is_forgotten_is_counted() -> None:
    best = BestPictures()
    for number in range(MOST_WAITING + 3):
        best.hear(FIRST.model_copy(update={"id": f"id-{number}"}), 0.0)
    assert best.forgotten == 3
    wanted = best.due(SETTLE_S)
    assert wanted is not None
    assert wanted.event_id == "id-3"
