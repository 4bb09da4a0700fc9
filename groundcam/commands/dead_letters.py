"""`groundcam dead-letters`"""

import json
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from groundcam.commands.options import BootstrapServers, Config, start
from groundcam.dead_letters.letters import LetterFilter, check_id, contents, read
from groundcam.dead_letters.replay import Planner, Target
from groundcam.dead_letters.replay import replay as send_again
from groundcam.dead_letters.report import as_object, as_text, contents_object, table
from groundcam.errors import DeadLetterError
from groundcam.since import since_ms
from groundcam_runtime.kafka.topics import TopicAdmin
from groundcam_runtime.printable import printable
from groundcam_runtime.rights import Right, Role
from groundcam_runtime.settings import KafkaSettings

app = typer.Typer(help="Messages that could not be processed: look at them, and try them again.", no_args_is_help=True)

Camera = Annotated[str | None, typer.Option(metavar="ID", help="Only those of this camera.")]
ErrorClass = Annotated[
    str | None, typer.Option("--error", metavar="CLASS", help="Only those with this error, such as BadPictureError.")
]
Since = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Only those dead-lettered since then: 90s, 15m, 2h, 3d, or an ISO time."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@app.command("list")
def list_(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    camera: Camera = None,
    error: ErrorClass = None,
    since: Since = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the dead letters, the newest last. The id is what `show` and `replay` take."""
    kafka = start(config, bootstrap_servers).kafka
    letters = LetterFilter(camera=camera, error=error, since_ms=_since(since))
    rows, seen = [], 0
    for seen, letter in enumerate(read(kafka), 1):  # noqa: B007 - the count is part of the message when none fits
        if letters.fits(letter):
            rows.append((letter.order, as_object(letter)))
    rows = sorted(rows, key=lambda row: row[0])[-(limit or 0) :]
    if as_json:
        for _, row in rows:
            print(json.dumps(row))
    elif rows:
        print(table([row for _, row in rows]))
    else:
        _say(_nothing(kafka, seen))


@app.command("show")
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` prints it: partition@offset.")],
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the frame's JPEG here, or the message as it came; never over a file."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show everything about one dead letter: where it lay, why it is here, what it contains."""
    wanted = _id(letter_id)
    kafka = start(config, bootstrap_servers).kafka
    seen = 0
    for seen, letter in enumerate(read(kafka), 1):  # noqa: B007 - the count is part of the message when none fits
        if letter.id == wanted:
            break
    else:
        raise DeadLetterError(_nothing(kafka, seen, wanted))
    body = contents(letter)
    print(json.dumps(as_object(letter) | contents_object(letter, body)) if as_json else as_text(letter, body))
    if save is not None:
        if letter.left_out is not None:
            raise DeadLetterError(printable(f"nothing is saved of {letter.id}: {letter.what_is_left_out}"))
        data = body.frame.data if body.frame else letter.record.value or b""
        with save.open("xb") as file:
            file.write(data)
        _say(f"{save}: {len(data)} bytes, {'the JPEG of the frame' if body.frame else 'the message as it came'}")


@app.command("replay")
def replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID...", help="As `list` prints them.")] = None,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    camera: Camera = None,
    error: ErrorClass = None,
    since: Since = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    as_recording: Annotated[
        bool,
        typer.Option("--as-recording", help="Put them on the recordings topic, where nothing is skipped as stale."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")] = False,
) -> None:
    """Publish dead letters again, as they came, on the topic and partition where they lay.

    A worker may skip a live frame that is older than work.max_age_s as stale; --as-recording avoids that. A frame
    with error FatalFrameError has ended workers, and may do so again. Exit code 1 if a message could not be replayed.
    """
    filters = any(one is not None for one in (camera, error, since))
    if bool(ids) + filters + everything != 1:
        raise typer.BadParameter("give ids, or some of --camera, --error and --since, or --all")
    letters = LetterFilter(frozenset(map(_id, ids or ())), camera, error, _since(since))
    settings = start(config, bootstrap_servers)
    kafka = settings.kafka
    targets, refused = _plan(kafka, letters, settings.work.max_age_s, as_recording=as_recording)
    for reason in refused:
        _say(reason)
    if late := sum(target.is_late for target in targets.values()):
        _say(
            f"{late} of them {'is a live frame' if late == 1 else 'are live frames'} older than work.max_age_s"
            f" ({settings.work.max_age_s:g} s), which a worker may skip as stale: --as-recording avoids that"
        )
    done, refusals = 0, len(refused)
    if dry_run:
        for one, target in targets.items():
            print(f"{one}: would go to {target}")
    else:
        for one, problem in send_again(kafka, targets):
            done += problem is None
            refusals += problem is not None
            print(f"{one}: {f'refused by Kafka: {problem}' if problem else f'on {targets[one]} again'}", flush=True)
        print(f"{done} replayed{f', {refusals} not' if refusals else ''}")
    if refusals:
        raise typer.Exit(1)


def _plan(
    kafka: KafkaSettings, letters: LetterFilter, max_age_s: float, *, as_recording: bool
) -> tuple[dict[str, Target], list[str]]:
    """Find what is meant, and where each goes; ids that were given are all there and can all go, or DeadLetterError."""
    topics = kafka.topics
    admin = TopicAdmin(kafka)
    try:
        partitions = admin.require([topics.dead_letters, topics.frames, topics.recordings])
        limits = {name: admin.max_message_bytes(name) for name in (topics.frames, topics.recordings)}
        planner = Planner(topics, partitions, limits, max_age_s, as_recording)
        targets: dict[str, Target] = {}
        refused: list[str] = []
        seen = 0
        for seen, letter in enumerate(read(kafka), 1):  # noqa: B007 - the count is part of the message when none fits
            if not letters.fits(letter):
                continue
            try:
                targets[letter.id] = planner.plan(letter, time.time())
            except DeadLetterError as problem:
                if letters.ids:
                    raise
                refused.append(str(problem))
        if absent := sorted(letters.ids - set(targets)):
            raise DeadLetterError(_nothing(kafka, seen, *absent))
        if not targets and not refused:
            raise DeadLetterError(_nothing(kafka, seen))
        admin.require_rights(
            Right(Role.ADMIN, "topic", name, "write") for name in {target.topic for target in targets.values()}
        )
    finally:
        admin.close()
    return targets, refused


def _nothing(kafka: KafkaSettings, seen: int, *ids: str) -> str:
    """Say that nothing is there, or not what was asked for."""
    where = f"{kafka.topics.dead_letters} on {kafka.bootstrap_servers}"
    if not seen:
        return f"there are no dead letters on {where}"
    if ids:
        return f"there is no dead letter {', '.join(ids)} on {where}"
    return f"none of the {seen} dead letters on {where} is like that"


def _id(text: str) -> str:
    try:
        return check_id(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _since(text: str | None) -> int | None:
    try:
        return since_ms(text, time.time()) if text else None
    except ValueError as error:
        raise typer.BadParameter(f"--since: {error}") from None


def _say(sentence: str) -> None:
    print(f"groundcam: {printable(sentence)}", file=sys.stderr)
