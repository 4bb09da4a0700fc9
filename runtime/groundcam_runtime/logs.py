"""Log lines for people or for machines, without secrets and without the Kafka client's chatter."""

import json
import logging
import sys
import threading
import time
from collections.abc import Callable
from typing import Literal, TextIO

from groundcam_runtime.redaction import redact

LogFormat = Literal["human", "json"]
QUIET_S = 60.0
# A socket that we close ourselves is an error to the first; a broken one is reported by kafka.net.connection too.
SAYS_NOTHING = ("kafka.net.transport", "kafka.coordinator.assignors")
# A client that is closed while it asks for something says this of it.
OUR_OWN_DOING = "Metadata refresh: failed Cancelled"


def leave_out(record: logging.LogRecord) -> None:
    """Have a line that is being written left out where this file decides."""
    record.is_left_out = True


class HumanFormatter(logging.Formatter):
    """`12:30:01 WARNING worker: text`, redacted as a whole, tracebacks included."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, redacted after it was put together, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


class KafkaChatter(logging.Filter):
    """Let one line a minute of the Kafka client through, without a traceback, and count the others.

    During an outage it writes thousands a minute, and several of them say nothing to an operator.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._next: float | None = None
        self._hidden = 0

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "is_left_out", False):
            return False
        if record.name.partition(".")[0] != "kafka":
            return True
        if record.levelno < logging.WARNING or record.name.startswith(SAYS_NOTHING):
            return False
        if record.getMessage().startswith(OUR_OWN_DOING):
            return False
        now = self._clock()
        if self._next is not None and now < self._next:
            self._hidden += 1
            return False
        self._next = now + QUIET_S
        more = f" ({self._hidden} more lines like this were left out)" if self._hidden else ""
        self._hidden = 0
        first_line = record.getMessage().partition("\n")[0]
        record.msg, record.args = f"trouble with the broker: {first_line[:300]}{more}", None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


def configure(form: LogFormat = "human", level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to a stream (standard error)."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else HumanFormatter())
    handler.addFilter(KafkaChatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # At DEBUG the client logs whole payloads; at INFO a line for every connection.
    logging.getLogger("kafka").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda args: _log_uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _log_uncaught(kind: type[BaseException], error: BaseException | None, _trace: object) -> None:
    """Write an uncaught exception through the same formatter, which hides secrets."""
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("groundcam").critical("uncaught error", exc_info=error)
