"""The console in this process: for `groundcam console`, and for `watch --html`, a short way to it."""

import asyncio
import logging
import os
from collections.abc import Collection
from pathlib import Path
from urllib.parse import quote

from groundcam import __version__
from groundcam.commands.options import until_stopped
from groundcam.extras import needs, require
from groundcam.settings import Settings
from groundcam_runtime.recurring import sum_up_all

log = logging.getLogger(__name__)


def run_console(settings: Settings, config: Path | None = None) -> None:
    """Serve the console until SIGTERM or Ctrl-C, and end the process. Raises KafkaProblem, SettingError."""
    require("console", "serve")
    with needs("console", "serve"):
        from groundcam.serving import serve_here
    stop = until_stopped()
    asyncio.run(serve_here(settings, __version__, stop, model=None, elsewhere=True, config=config))
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
