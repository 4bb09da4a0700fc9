"""`groundcam watch`"""

import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import Annotated, Literal

import typer

from groundcam.commands.options import BootstrapServers, Config, start, until_stopped
from groundcam.devkafka.broker import free_port
from groundcam.did_you_mean import did_you_mean
from groundcam.event_subscriber import follow_events
from groundcam.event_words import line as event_line
from groundcam.service_here import address, run_service
from groundcam.subscriber import follow
from groundcam_runtime.events.filter import EventFilter
from groundcam_runtime.kafka.camera_statuses import newest_statuses
from groundcam_runtime.kafka.errors import KafkaProblem
from groundcam_runtime.kafka.topic_watch import TopicWatch
from groundcam_runtime.printable import printable
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Gap, Severity, encode_json

NS = 1_000_000_000


def watch(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    camera: Annotated[list[str] | None, typer.Option(metavar="ID", help="Only this camera. Repeat it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, fields as in the schemas.")] = False,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest answer on the topic.")
    ] = False,
    count: Annotated[int | None, typer.Option(min=1, help="End after this many answers, or events.")] = None,
    events: Annotated[
        bool, typer.Option("--events", help="What becomes of single objects instead; first what is open now.")
    ] = False,
    label: Annotated[
        list[str] | None, typer.Option(metavar="CLASS", help="With --events: only objects of this class. Repeat it.")
    ] = None,
    zone: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="With --events: only of this zone or line. Repeat it.")
    ] = None,
    severity: Annotated[
        Severity | None, typer.Option(help="With --events: only what matters so much, or more.")
    ] = None,
    html: Annotated[
        int | None,
        typer.Option(metavar="PORT", min=0, max=65_535, help="Serve the console instead, as `groundcam console` does."),
    ] = None,
    html_host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where that page is served.")] = "127.0.0.1",
) -> None:
    """Print what is found, as it comes, each frame once; or, with --events, what becomes of each object."""
    chosen = label or zone or severity
    if chosen and not events:
        raise typer.BadParameter("--label, --zone and --severity go with --events")
    if html is not None:
        if as_json or from_beginning or count or events:
            raise typer.BadParameter("--html goes with --camera and --html-host only")
        port = html or free_port()
        settings = start(config, bootstrap_servers, serve__host=html_host, serve__port=port, serve__console=True)
        print(f"the page is at {address(html_host, port, camera or ())}; Ctrl-C stops it", flush=True)
        run_service(settings, config)
        return
    settings = start(config, bootstrap_servers)
    stop = until_stopped()
    if events:
        _tell_unknown(settings.kafka, camera or [])
        wanted = EventFilter.of(camera or None, label or None, zone or None, None, severity or Severity.INFO)
        show_events(settings.kafka, wanted, stop, from_beginning=from_beginning, as_json=as_json, count=count)
        return
    _tell_unknown(settings.kafka, camera or [])
    shown = 0
    origin: Literal["beginning", "end"] = "beginning" if from_beginning else "end"
    with TopicWatch(settings.kafka, [settings.kafka.topics.detections]):
        for answer in follow(settings.kafka, set(camera) if camera else None, origin, drop_repeats=True):
            if stop.is_set():
                break
            if answer is None:
                continue
            print(encode_json(answer).decode() if as_json else line(answer), flush=True)
            shown += 1
            if shown == count:
                break


def _tell_unknown(kafka: KafkaSettings, cameras: list[str]) -> None:
    """Say which cameras have not told of themselves, where that may be read: they may come yet."""
    with suppress(KafkaProblem):
        known = newest_statuses(kafka) if cameras else {}
        for name in cameras:
            if name not in known:
                said = f"no camera {name} has told of itself, so it is waited for{did_you_mean(name, known)}"
                print(f"groundcam: {printable(said)}", file=sys.stderr)


def show_events(
    kafka: KafkaSettings,
    wanted: EventFilter,
    stop: threading.Event,
    *,
    from_beginning: bool,
    as_json: bool,
    count: int | None,
) -> None:
    """Print events until `stop` is set, or so many were there. Raises KafkaProblem."""
    shown = 0
    origin: Literal["beginning", "open"] = "beginning" if from_beginning else "open"
    with TopicWatch(kafka, [kafka.topics.events]):
        for event in follow_events(kafka, wanted, origin, drop_repeats=True):
            if stop.is_set():
                break
            if event is None:
                continue
            print(encode_json(event).decode() if as_json else event_line(event), flush=True)
            shown += 1
            if shown == count:
                break


def line(answer: Detections | Gap) -> str:
    """Return a line for people."""
    if isinstance(answer, Gap):
        return f"{answer.camera_id:<12} not looked at: {_range(answer)}, {answer.reason.value.replace('_', ' ')}"
    clock = time.strftime("%H:%M:%S", time.localtime(answer.captured_at_ns / NS))
    labels = Counter(found.label for found in answer.objects)
    found = ", ".join(f"{number} {printable(label)}" for label, number in labels.items()) or "nothing"
    age_ms = (answer.timings_ns.published - answer.captured_at_ns) / 1e6
    best = f" (best {answer.objects[0].score:.2f})" if answer.objects else ""
    return f"{answer.camera_id:<12} {clock} frame {answer.frame.seq}: {found}{best}, {age_ms:.0f} ms"


def _range(gap: Gap) -> str:
    if gap.first_seq is not None and gap.last_seq is not None:
        if gap.first_seq == gap.last_seq:
            return f"frame {gap.first_seq}"
        return f"frames {gap.first_seq} to {gap.last_seq}"
    seconds = ((gap.to_ns or 0) - (gap.from_ns or 0)) / NS
    return f"{seconds:.1f} s without frames"
