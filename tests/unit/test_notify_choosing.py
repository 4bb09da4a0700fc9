"""Which webhook wants which event: filters, times of day, cool-downs, and no event twice."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from groundcam_events.notify.made_up import made_up
from groundcam_events.notify.policy.choosing import Choice, Chooser
from groundcam_events.notify.policy.cool_down import CoolDown
from groundcam_events.notify.policy.filters import Filter, lines_meant, zones_meant
from groundcam_events.notify.policy.windows import is_open, window, windows_of
from groundcam_events.notify.settings import HookSettings
from groundcam_schemas import Cause, Event, EventType, LineCrossing, Severity, Sighting, ZoneVisit

NS = 1_000_000_000
BEGIN_S = 1_700_000_000
BERLIN = ZoneInfo("Europe/Berlin")


def hook(**settings: Any) -> HookSettings:
    return HookSettings(url="https://example.com/", **settings)


def visit(name: str, entered_s: int, left_s: int | None = None, *, dwelt: bool = True) -> ZoneVisit:
    left_ns = None if left_s is None else left_s * NS
    return ZoneVisit(name=name, entered_ns=entered_s * NS, left_ns=left_ns, dwell_ms=0, dwelt=dwelt)


def look(at_s: float) -> Sighting:
    return made_up(int((BEGIN_S + at_s) * NS)).first


def event(at_s: float = 0.0, **changes: Any) -> Event:
    one = made_up(int((BEGIN_S + at_s) * NS))
    changes = {"id": "one", "camera_id": "yard-1", "zones": (), **changes}
    return one.model_copy(update=changes)


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"cameras": "gate,yard-*"}, {"camera_id": "street"}),
        ({"labels": ["person"]}, {"label": "car"}),
        ({"types": ["new"]}, {"type": EventType.UPDATE, "n": 1}),
        ({"causes": "appeared,line_crossed"}, {"cause": Cause.MOVED}),
        ({"severity": "warning"}, {"severity": Severity.INFO}),
        ({"min_score": 0.9}, {"score_median": 0.89}),
        ({"zones": ["porch"]}, {"zones": (visit("street", 1),)}),
        ({"lines": ["door"]}, {"lines": ()}),
        ({"times": ["mon"]}, {}),  # that was a Tuesday
    ],
)
def test_each_wish_keeps_out_what_does_not_meet_it_and_nothing_else(
    settings: dict[str, Any], changes: dict[str, Any]
) -> None:
    everything = {
        "severity": Severity.ALERT,
        "zones": (visit("porch", 1),),
        "lines": (LineCrossing(name="door", direction="in", at_ns=1),),
    }
    assert not Filter(hook(**settings)).wants(event(**{**everything, **changes}))
    if "times" not in settings:
        assert Filter(hook(**settings)).wants(event(**everything))
    assert Filter(hook()).wants(event(**changes))


def test_an_event_of_a_zone_or_a_line_is_about_that_one_and_any_other_about_all() -> None:
    zones = (visit("street", 1, 9), visit("porch", 5), visit("bench", 6, dwelt=False))
    lines = (LineCrossing(name="road", direction="in", at_ns=1), LineCrossing(name="door", direction="in", at_ns=2))
    asked = {cause: event(cause=cause, zones=zones, lines=lines) for cause in Cause}
    assert zones_meant(asked[Cause.ZONE_ENTERED]) == ["bench"]
    assert zones_meant(asked[Cause.ZONE_LEFT]) == ["street"]
    assert zones_meant(asked[Cause.ZONE_DWELT]) == ["porch"]
    assert zones_meant(asked[Cause.ENDED]) == ["street", "porch", "bench"]
    assert lines_meant(asked[Cause.LINE_CROSSED]) == ["door"]
    assert lines_meant(asked[Cause.ENDED]) == ["road", "door"]
    assert zones_meant(event(cause=Cause.ZONE_LEFT)) == []


def opened(text: str, *clock: int, fold: int = 0, zone: ZoneInfo = BERLIN) -> bool:
    at = datetime(*clock, fold=fold, tzinfo=zone)  # type: ignore[arg-type, misc]
    return is_open(windows_of([text]), zone, int(at.timestamp()) * NS)


@pytest.mark.parametrize(
    ("text", "clock", "expected"),
    [
        ("08:00-18:00", (2026, 3, 4, 8, 0), True),
        ("08:00-18:00", (2026, 3, 4, 7, 59, 59), False),
        ("08:00-18:00", (2026, 3, 4, 18, 0), False),
        ("22:00-06:00", (2026, 3, 4, 23, 0), True),
        ("22:00-06:00", (2026, 3, 4, 5, 59, 59), True),
        ("22:00-06:00", (2026, 3, 4, 6, 0), False),
        ("00:00-24:00", (2026, 3, 4, 23, 59, 59), True),
        ("12:00-12:00", (2026, 3, 4, 3, 0), True),
        ("sat,sun", (2026, 3, 7, 0, 0), True),
        ("sat,sun", (2026, 3, 6, 23, 59), False),
        # A night belongs to the day on which it begins: 2026-03-06 is a Friday.
        ("fri 22:00-06:00", (2026, 3, 6, 22, 0), True),
        ("fri 22:00-06:00", (2026, 3, 7, 5, 0), True),
        ("fri 22:00-06:00", (2026, 3, 6, 5, 0), False),
        ("fri 22:00-06:00", (2026, 3, 7, 22, 0), False),
        ("sun 22:00-06:00", (2026, 3, 9, 1, 0), True),
        ("fri-mon", (2026, 3, 9, 12, 0), True),
        ("fri-mon", (2026, 3, 10, 12, 0), False),
    ],
)
def test_a_window_is_open_from_its_first_minute_to_before_its_last_also_over_midnight(
    text: str, clock: tuple[int, ...], expected: bool
) -> None:
    assert opened(text, *clock) is expected


def test_where_the_clock_is_put_forward_a_night_is_an_hour_shorter_and_a_window_inside_that_hour_does_not_come() -> (
    None
):
    """In Berlin, on 2026-03-29, 02:00 is 03:00."""
    before = datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo("UTC"))
    states = {}
    for text in ("22:00-06:00", "02:10-02:50", "03:00-03:30"):
        times = [int(before.timestamp() + 600 * step) * NS for step in range(30)]
        states[text] = sum(is_open(windows_of([text]), BERLIN, at_ns) for at_ns in times)
    assert states == {"22:00-06:00": 21, "02:10-02:50": 0, "03:00-03:30": 3}


def test_where_the_clock_is_put_back_an_hour_that_comes_twice_is_in_the_window_twice() -> None:
    """In Berlin, on 2026-10-25, 03:00 is 02:00 again."""
    for fold in (0, 1):
        assert opened("02:00-03:00", 2026, 10, 25, 2, 30, fold=fold)
        assert not opened("03:00-06:00", 2026, 10, 25, 2, 30, fold=fold)
    assert opened("03:00-06:00", 2026, 10, 25, 3, 0)


def test_without_windows_it_is_always_open_and_the_last_years_of_the_contract_can_be_read() -> None:
    assert is_open((), BERLIN, 0)
    assert is_open(windows_of(["00:00-24:00"]), ZoneInfo("UTC"), 2**63 - 1)


@pytest.mark.parametrize(
    "text", ["", "8:00-9:00", "25:00-26:00", "24:00-01:00", "10:60-11:00", "monday", "mon 08:00-09:00 x", "mon-"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        window(text)


def test_others_like_one_that_was_sent_are_held_back_for_a_while() -> None:
    cool = CoolDown(60.0, ("camera", "label"))
    assert cool.lets_through(event(0))
    assert not cool.lets_through(event(59, id="two"))
    assert cool.lets_through(event(30, label="car"))
    assert cool.lets_through(event(30, camera_id="gate"))
    assert cool.lets_through(event(60, id="three"))
    assert not cool.lets_through(event(61, id="four"))


def test_what_matters_more_is_not_held_back_and_from_then_on_sets_the_mark() -> None:
    cool = CoolDown(60.0, ("camera", "label"))
    assert cool.lets_through(event(0))
    assert cool.lets_through(event(1, severity=Severity.ALERT))
    assert not cool.lets_through(event(2, severity=Severity.WARNING))
    assert not cool.lets_through(event(3, severity=Severity.ALERT))


def test_a_zone_that_was_quiet_is_heard_although_another_one_is_held() -> None:
    cool = CoolDown(60.0, ("camera", "label", "zone"))
    assert cool.lets_through(event(0, zones=(visit("street", 1),)))
    assert not cool.lets_through(event(1, zones=(visit("street", 1),)))
    assert cool.lets_through(event(2, zones=(visit("street", 1), visit("porch", 2))))
    assert cool.lets_through(event(3, zones=()))


def test_an_end_follows_where_something_was_sent_and_only_there() -> None:
    cool = CoolDown(60.0, ("camera", "label"))
    assert cool.lets_through(event(0, id="told"))
    assert not cool.lets_through(event(1, id="untold"))
    assert cool.lets_through(event(2, id="told", type=EventType.END))
    assert not cool.lets_through(event(3, id="untold", type=EventType.END))
    assert cool.lets_through(event(4, id="of a notifier before us", type=EventType.END))


def test_an_end_of_what_was_held_back_since_it_became_of_interest_is_held_too() -> None:
    """A webhook for alerts hears nothing of objects that appear, and what made this one an alert was held back."""
    cool = CoolDown(60.0, ("camera", "label"))
    assert cool.lets_through(event(0, id="told"))
    assert not cool.lets_through(event(9, id="held", type=EventType.UPDATE, first=look(8)))
    assert not cool.lets_through(event(9, id="from before", type=EventType.UPDATE, first=look(-8)))
    assert not cool.lets_through(event(20, id="told", type=EventType.UPDATE))
    assert not cool.lets_through(event(21, id="held", type=EventType.END, first=look(8)))
    assert cool.lets_through(event(21, id="from before", type=EventType.END)), "a notifier before may have told it"
    assert cool.lets_through(event(22, id="told", type=EventType.END))


def test_a_clock_that_was_set_back_holds_nothing_and_memory_is_bounded() -> None:
    cool = CoolDown(60.0, ("camera",), most=2)
    assert cool.lets_through(event(0))
    assert cool.lets_through(event(-3600))
    for name in ("a", "b", "c"):
        assert cool.lets_through(event(0, camera_id=name))
    assert not cool.lets_through(event(1, camera_id="c"))
    assert cool.lets_through(event(1, camera_id="a"))


def test_an_event_that_comes_again_is_for_nobody_and_so_is_an_older_one() -> None:
    chooser = Chooser({"phone": hook(), "log": hook(labels=["car"])})
    update = event(1, type=EventType.UPDATE, n=1)
    assert chooser.choose(event(0)) == Choice(("phone",))
    assert chooser.choose(update) == Choice(("phone",))
    assert chooser.choose(event(0)) == chooser.choose(update) == Choice(is_repeat=True)


def test_the_same_events_in_the_same_order_are_chosen_alike_so_that_a_start_in_the_middle_changes_nothing() -> None:
    hooks = {"phone": hook(cool_down_s=10.0), "log": hook()}
    events = [event(at, id=f"o{at}") for at in range(0, 40, 3)]
    first, second = ([Chooser(hooks).choose(one) for one in events] for _ in range(2))
    chooser = Chooser(hooks)
    assert [chooser.choose(one).held_back for one in events] == [
        ("phone",) if at % 12 else () for at in range(0, 40, 3)
    ]
    assert list(first) == list(second)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "url or url_file is needed"),
        ({"url": "https://e.com/", "url_file": "/f"}, "url or url_file is needed, and not both"),
        ({"url": "https://me:hunter2222@e.com/"}, "headers_file is the place"),
        ({"url": "ftp://e.com/"}, "https:// or http://"),
        ({"url": "https://e.com/a b"}, "a character in it"),
        ({"url": "https://e.com/#hunter2222"}, "behind #"),
        ({"url": "https:///hunter2222"}, "no host"),
        ({"url": "https://e.com:hunter2222/"}, "cannot be read"),
        ({"url": "https://e.com/", "time_zone": "Mars/Olympus"}, "no time zone"),
        ({"url": "https://e.com/", "time_zone": "../../etc/passwd"}, "no time zone"),
        ({"url": "https://e.com/", "times": "22-6"}, "is not like 22:00-06:00"),
        ({"url": "https://e.com/", "picture": "link"}, "need each other"),
        ({"url": "https://e.com/", "picture_url": "https://e.com/{id}"}, "need each other"),
        ({"url": "https://e.com/", "retry_s": 10.0, "max_retry_s": 5.0}, "is above max_retry_s"),
        ({"url": "https://e.com/", "causes": ["fell"]}, "Input should be"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_and_show_nothing_of_the_address(
    settings: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ValidationError) as told:
        HookSettings(**settings)
    assert sentence in str(told.value)
    assert "hunter2222" not in str(told.value)


def test_lists_may_be_written_as_text_as_variables_have_them() -> None:
    settings = hook(cameras="a, b", types="new,end", times="mon,tue 08:00-09:00; sat", cool_down_per="camera,zone")
    assert settings.cameras == ("a", "b")
    assert settings.types == (EventType.NEW, EventType.END)
    assert settings.times == ("mon,tue 08:00-09:00", "sat")
    assert settings.cool_down_per == ("camera", "zone")
