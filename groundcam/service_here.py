"""The HTTP service in this process: for `groundcam serve` and `console`, and for `watch --html`, a short way there."""

import asyncio
import logging
import os
from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote

from groundcam import __version__
from groundcam.commands.options import until_stopped
from groundcam.extras import needs
from groundcam.settings import Settings
from groundcam_runtime.recurring import sum_up_all

log = logging.getLogger(__name__)


def run_service(
    settings: Settings,
    config: Path | None = None,
    *,
    what: str = "console",
    model: str | None = None,
    elsewhere: bool = True,
) -> None:
    """Serve until SIGTERM or Ctrl-C, and end the process. Raises BrokerError, KafkaProblem, PartError, SettingError.

    `what` needs the extra; `elsewhere`, `model` and `config` are as `serve_here` has them.
    """
    with needs(what, "serve"):
        from groundcam.serving import serve_here
    stop = until_stopped()
    asyncio.run(serve_here(settings, __version__, stop, model=model, elsewhere=elsewhere, config=config))
    log.info("stopped")
    # A thread inside Kafka's client would keep the interpreter from ending.
    sum_up_all()
    logging.shutdown()
    os._exit(0)


def address(host: str, port: int, cameras: Collection[str] = ()) -> str:
    """Return where the console is; with cameras, a wall of these alone."""
    shown = f"[{host}]" if ":" in host else host
    wall = f"#/?wall={quote(','.join(sorted(cameras)), safe=',')}" if cameras else ""
    return f"http://{shown}:{port}/console/{wall}"
