"""Every alert is fired for real, and every panel moves: a real Prometheus scrapes a running system with faults in it.

One run of some minutes serves all tests of this file. GROUNDCAM_TEST_PLOTS names a folder for the pictures of the
dashboards; without it they are drawn into pytest's own.
"""

import math
import os
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

import alert_rules
import boards
import contact_sheet
import scenarios
from groundcam.devkafka.broker import EmbeddedBroker
from installation import Installation, until
from movements import APPEARS, NOT_HERE, UNDER
from prometheus_server import MISSING, REASON, Prometheus, Series
from watch import Fired, Watch

pytestmark = [
    pytest.mark.long,
    pytest.mark.operations,
    pytest.mark.broker,
    pytest.mark.skipif(bool(MISSING), reason=REASON),
]

NOT_CAUSED = {"GroundcamGpuMemoryFull": "nothing here can fill a GPU's memory: promtool's test of it must do"} | {
    alert: f"no fault here is about {what}: promtool's test of it must do"
    for group, what in {"groundcam-http": "the HTTP service", "groundcam-events": "trackers or webhooks"}.items()
    for alert in alert_rules.names(group)
}
ALONGSIDE: dict[str, Callable[[Installation, Path, Watch], None]] = {
    "cameras": scenarios.cameras,
    "late": lambda one, _, watch: scenarios.too_slow(one, watch, "GroundcamFramesOld", 0),
    "shedding": lambda one, _, watch: scenarios.too_slow(one, watch, "GroundcamFramesShed", 1),
    "standing": lambda one, _, watch: scenarios.stands_still(one, watch),
    "members": lambda one, _, watch: scenarios.members(one, watch),
    "bad-frames": lambda one, _, watch: scenarios.bad_frames(one, watch),
}
NAMES = ["well", *ALONGSIDE, "no-kafka"]


@dataclass(frozen=True)
class Span:
    namespace: str
    begin: float
    end: float


@dataclass
class Run:
    prometheus: Prometheus
    start: float
    started: float = 0.0
    """Since then everything runs where nothing is wrong. A minute is short here, and programs that start are slow."""
    end: float = 0.0
    spans: dict[str, Span] = field(default_factory=dict)
    seen: dict[str, Fired] = field(default_factory=dict)
    failures: dict[str, BaseException] = field(default_factory=dict)
    tracebacks: list[str] = field(default_factory=list)

    def scenario(self, name: str, one: Installation, do: Callable[[Watch], None]) -> None:
        """Run one; what goes wrong is told by its own test."""
        watch, begin = Watch(self.prometheus, one.namespace), time.time()
        try:
            do(watch)
        except BaseException as error:  # noqa: BLE001 - also what pytest raises
            self.failures[name] = error
        self.seen |= watch.seen
        self.spans[name] = Span(one.namespace, begin, time.time())

    def series(self, query: str, namespace: str, span: tuple[float, float]) -> list[Series]:
        return self.prometheus.query_range(boards.substituted(query, namespace=namespace), *span)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("operations")
    with EmbeddedBroker() as broker, Prometheus(folder, alert_rules.shortened()) as prometheus:
        until(prometheus.is_ready, "Prometheus")
        run, installed = Run(prometheus, time.time()), []

        def install(name: str) -> Installation:
            installed.append(Installation(name, broker.bootstrap_servers, prometheus, folder))
            return installed[-1]

        try:
            well, begin = install("well"), time.time()
            scenarios.well(well)
            run.started = time.time()
            with ThreadPoolExecutor(len(ALONGSIDE)) as pool:
                futures: list[Future[None]] = []
                for name, do in ALONGSIDE.items():
                    one = install(name)
                    futures.append(pool.submit(run.scenario, name, one, partial(do, one, folder)))
                scenarios.ask_something_else(well)
            for future in futures:
                future.result()
            run.spans["well"] = Span("well", begin, time.time())
            run.scenario("no-kafka", well, lambda watch: scenarios.no_kafka(well, watch, broker))
        finally:
            for one in installed:
                one.end()
        run.end = time.time()
        run.tracebacks = [text for one in installed for text in one.tracebacks()]
        yield run


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_fault_was_caused_and_ended(run: Run, name: str) -> None:
    if name in run.failures:
        raise AssertionError(str(run.failures[name])) from run.failures[name]
    assert name in run.spans


def test_no_process_left_a_traceback(run: Run) -> None:
    assert not run.tracebacks, "\n".join(run.tracebacks)


@pytest.mark.parametrize("alert", alert_rules.names())
def test_an_alert_fires_under_its_fault_says_what_it_is_about_and_clears(run: Run, alert: str) -> None:
    if alert in NOT_CAUSED:
        pytest.skip(NOT_CAUSED[alert])
    fired = run.seen.get(alert)
    assert fired, f"it did not fire: {list(run.failures.values())}"
    assert fired.cleared_at, "it did not clear"
    for text in fired.notes.values():
        assert not re.search(r"no value|<error|\{\{", text), text
    rule = next(rule for rule in alert_rules.rules() if rule["alert"] == alert)
    for label in set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["description"])) - {"pod"}:
        assert fired.labels[label] in fired.notes["description"]


def test_where_nothing_is_wrong_no_alert_fires(run: Run) -> None:
    firing = 'ALERTS{namespace="well", alertstate="firing"}'
    assert run.prometheus.query_range(firing, run.started, run.spans["well"].end) == []


def moves(found: list[Series], *, by_coming_and_going: bool, seconds: float) -> bool:
    """Whether a result is more than a constant."""
    for one in found:
        values = {float(value) for _, value in one["values"]}
        if len({value for value in values if math.isfinite(value)}) > 1:
            return True
        if by_coming_and_going and len(one["values"]) < seconds - 2:
            return True
    return False


def place_of(panel: boards.Panel) -> str:
    return next(name for name, titles in UNDER[panel.board].items() if panel.title in titles)


def test_every_panel_has_a_fault_and_no_fault_a_panel_that_is_not_there() -> None:
    told = {(board, title) for board, faults in UNDER.items() for titles in faults.values() for title in titles}
    assert told | set(NOT_HERE) == {(panel.board, panel.title) for panel in boards.panels()}
    assert told & set(NOT_HERE) == set()


@pytest.mark.parametrize("panel", boards.panels(), ids=str)
def test_each_query_of_a_panel_moves_under_its_fault(run: Run, panel: boards.Panel) -> None:
    if reason := NOT_HERE.get((panel.board, panel.title)):
        for query in panel.queries:
            run.series(query, ".*", (run.start, run.end))  # it is at least no error
        pytest.skip(reason)
    span = run.spans[place_of(panel)]
    for query in panel.queries:
        found = run.series(query, span.namespace, (span.begin, span.end))
        assert found, f"nothing in {span.namespace}: {query}"
        appears = (panel.board, panel.title) in APPEARS
        assert moves(found, by_coming_and_going=appears, seconds=span.end - span.begin), f"constant: {query}"


@pytest.mark.parametrize("board", boards.NAMES)
def test_a_dashboard_is_drawn(run: Run, board: str, tmp_path: Path) -> None:
    """For a person to look at: of each panel the namespace of its fault, whose time is shaded."""
    folder = Path(os.environ.get("GROUNDCAM_TEST_PLOTS") or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    plots = []
    for panel in boards.panels(board):
        span = None if (board, panel.title) in NOT_HERE else run.spans[place_of(panel)]
        lines: list[contact_sheet.Line] = []
        for query, legend in zip(panel.queries, panel.legends, strict=True):
            for one in run.series(query, span.namespace if span else ".*", (run.start, run.end)):
                points = [(at, float(value)) for at, value in one["values"]]
                lines.append((boards.legend(legend, one["metric"]), points))
        title = f"{panel.title} ({place_of(panel)})" if span else panel.title
        plots.append(contact_sheet.Plot(title, panel.unit, lines, (span.begin, span.end) if span else None))
    path = folder / f"{board}.png"
    contact_sheet.draw(plots, run.start, run.end, path)
    print(f"drawn: {path}")
    assert path.stat().st_size > 10_000
