"""`groundcam notify`"""

import logging
import os
import threading
import time
from typing import Annotated

import typer

from groundcam import __version__
from groundcam.commands.options import BootstrapServers, Config, HttpPort, LogFormat, LogLevel, start, until_stopped
from groundcam.did_you_mean import did_you_mean
from groundcam_events.notify.settings import NotifySettings
from groundcam_runtime.printable import printable
from groundcam_runtime.recurring import sum_up_all
from groundcam_runtime.settings import SettingError

log = logging.getLogger(__name__)

WIDEST_BODY = 200

app = typer.Typer()

Group = Annotated[
    str | None,
    typer.Option(help="Consumer group; its notifiers share the cameras.", show_default="PREFIX-notifier"),
]


@app.callback(invoke_without_command=True)
def notify(
    context: typer.Context,
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    group: Group = None,
    http_port: HttpPort = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
) -> None:
    """Post events to the webhooks of the settings (notify.hooks), at least once each.

    What a webhook does not take goes to the topic of undelivered events; `notify retry` sends it again. A new group
    begins with the next event.
    """
    if context.invoked_subcommand is not None:
        if any(one is not None for one in (config, bootstrap_servers, group, http_port, log_format, log_level)):
            raise typer.BadParameter(f"options belong behind {context.invoked_subcommand}")
        return
    from groundcam_events.notify.run import run

    settings = start(config, bootstrap_servers, log_format, log_level, http_port, notify__group=group)
    wake = threading.Event()
    stop = until_stopped(wake)
    run(settings.notify, settings.kafka, settings.http, __version__, stop, wake)
    log.info("stopped")
    # A thread inside Kafka's client, or one that waits for a webhook, would keep the interpreter from ending.
    sum_up_all()
    logging.shutdown()
    os._exit(0)


@app.command("retry")
def retry(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    hook: Annotated[str | None, typer.Option(metavar="NAME", help="Only what this webhook did not take.")] = None,
) -> None:
    """Send the undelivered events again, each once, and say what became of each.

    What is delivered is noted on their topic and not sent again; the rest stays as it is. Filters, cool-downs and times
    do not count: the events were wanted. Exit codes: 0 when nothing is left, 1 when something is.
    """
    from groundcam_events.notify.retry import retry as send_again

    settings = start(config, bootstrap_servers)
    if hook is not None:
        _require(settings.notify, hook)
    delivered = left = 0
    for one in send_again(settings.notify, settings.kafka, hook):
        letter = one.letter
        delivered, left = delivered + (one.failure is None), left + (one.failure is not None)
        became = "delivered" if one.failure is None else f"undelivered still: {printable(one.failure)}"
        print(f"{printable(letter.hook)}: {printable(letter.event.id)}/{letter.event.n} {became}", flush=True)
    print(f"{delivered} delivered, {left} undelivered still")
    if left:
        raise typer.Exit(1)


@app.command("test")
def try_out(
    hook: Annotated[str, typer.Argument(metavar="HOOK", help="The webhook's name in the settings.")],
    config: Config = None,
) -> None:
    """Send a made-up event to a webhook once, and say what came back. Needs no Kafka.

    The event is of a camera named test, and `is_test` is true in it. Exit codes: 0 when it was taken, 1 when
    it was not.
    """
    from groundcam_events.notify.hook import attempt
    from groundcam_events.notify.made_up import made_up
    from groundcam_events.notify.policy.body import Picture

    settings = start(config)
    known = _require(settings.notify, hook)
    event = made_up(time.time_ns())
    picture = Picture(None, "the event is made up") if settings.notify.hooks[known].picture == "attach" else None
    begun_s = time.monotonic()
    answered, where = attempt(known, settings.notify.hooks[known], event, picture, is_test=True)
    took_ms = (time.monotonic() - begun_s) * 1000
    print(f"{known}{f' at {where}' if where else ''}: {printable(answered.text)} ({took_ms:.0f} ms)")
    if answered.body:
        print(f"it says: {printable(answered.body[:WIDEST_BODY].decode('utf-8', 'replace'))}")
    if answered.failure is not None:
        print(f"the event would be {'put aside' if answered.is_final else 'sent again later'}")
        raise typer.Exit(1)


def _require(settings: NotifySettings, hook: str) -> str:
    """Return the name of a webhook that there is. Raises SettingError."""
    if hook not in settings.hooks:
        raise SettingError(f"notify.hooks has no {hook[:100]!r}{did_you_mean(hook, [*settings.hooks])}")
    return hook
