"""Log lines for people or for machines, without secrets, without the Kafka client's chatter, one line each."""

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Literal, TextIO

from groundcam_runtime.printable import printable, printable_json, printable_lines
from groundcam_runtime.redaction import redact

LogFormat = Literal["human", "json"]
QUIET_S = 60.0
# A socket that we close ourselves is an error to the first; a broken one is reported by kafka.net.connection too.
SAYS_NOTHING = ("kafka.net.transport", "kafka.coordinator.assignors")
# A client that is closed while it asks for something says this of it.
OUR_OWN_DOING = "Metadata refresh: failed Cancelled"
OURS = "kafka.groundcam"
"""The logger of what we find out ourselves about the broker (`kafka.errors.chatter`)."""
FIELDS = ("camera", "topic", "partition", "offset", "frames")
"""What a line may be about, each a field of its own where lines are for machines (`extra` of a log call)."""


def leave_out(record: logging.LogRecord) -> None:
    """Have a line that is being written left out where this file decides."""
    record.is_left_out = True


class HumanFormatter(logging.Formatter):
    """`12:30:01 WARNING worker: text`, redacted as a whole, tracebacks included."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging has it
        record.message = printable(redact(record.message))
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802
        return printable_lines(redact(super().formatException(ei)))

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        return printable_lines(redact(super().formatStack(stack_info)))


class JsonFormatter(logging.Formatter):
    """One JSON object a line, redacted after it was put together, tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        for field in FIELDS:
            if (value := getattr(record, field, None)) is not None:
                line[field] = redact(value) if isinstance(value, str) else value
        if record.exc_info:
            line["traceback"] = redact(self.formatException(record.exc_info))
        return printable_json(line)


class KafkaChatter(logging.Filter):
    """Let one line a minute of the Kafka client through, without a traceback, and count the others.

    During an outage it writes thousands a minute, and several of them say nothing to an operator. What we say of it
    ourselves does not wait for that: of that each kind of line has a minute of its own.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._next: dict[str, float] = {}
        self._hidden: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "is_left_out", False):
            return False
        if record.name.partition(".")[0] != "kafka":
            return True
        if record.levelno < logging.WARNING or record.name.startswith(SAYS_NOTHING):
            return False
        if record.getMessage().startswith(OUR_OWN_DOING):
            return False
        now, kind = self._clock(), str(record.msg) if record.name == OURS else ""
        if now < self._next.get(kind, now):
            self._hidden[kind] += 1
            return False
        self._next[kind] = now + QUIET_S
        hidden = self._hidden.pop(kind, 0)
        more = f" ({hidden} more lines like this were left out)" if hidden else ""
        first_line = record.getMessage().partition("\n")[0]
        record.msg, record.args = f"trouble with the broker: {first_line[:300]}{more}", None
        record.exc_info = record.exc_text = record.stack_info = None
        return True


class _About(logging.Filter):
    """Gives each line the camera that its process is about."""

    def __init__(self, camera: str) -> None:
        super().__init__()
        self._camera = camera

    def filter(self, record: logging.LogRecord) -> bool:
        if getattr(record, "camera", None) is None:
            record.camera = self._camera
        return True


_form: LogFormat = "human"


def say(sentence: str) -> None:
    """Write the last sentence of a program that gives up, in the form that lines have."""
    text = " ".join(sentence.split())
    if _form == "json":
        logging.getLogger("groundcam").critical("%s", text)
    else:
        print(f"groundcam: {printable(redact(text))}", file=sys.stderr)


def is_json() -> bool:
    """Whether lines are for machines."""
    return _form == "json"


def configure(
    form: LogFormat = "human", level: str = "INFO", stream: TextIO | None = None, *, camera: str | None = None
) -> None:
    """Send everything that is logged in this process to a stream (standard error).

    With `camera` all of it is about that one, as the lines' field says.
    """
    global _form  # noqa: PLW0603 - a process has one log, as it has one standard error
    _form = form
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else HumanFormatter())
    handler.addFilter(KafkaChatter())
    if camera is not None:
        handler.addFilter(_About(camera))
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
