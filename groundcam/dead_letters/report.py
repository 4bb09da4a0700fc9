"""Dead letters as text for people and as JSON for programs; never their bytes, which could be anything. Pure."""

import time
from typing import Any

from groundcam.dead_letters.letters import Contents, Letter
from groundcam_runtime.printable import printable

WIDEST_TEXT = 60
WIDEST_HEADER = 200


def as_object(letter: Letter) -> dict[str, Any]:
    """Return a letter as JSON for programs, without its bytes."""
    origin = letter.origin
    return {
        "id": letter.id,
        "put_aside_at_ms": letter.record.timestamp_ms,
        "camera_id": letter.camera,
        "run_id": origin.run_id if origin else "",
        "seq": origin.seq if origin else None,
        "error_class": origin.error_class if origin else "",
        "error_text": origin.error_text if origin else "its headers do not say why it is here",
        "attempts": origin.attempts if origin else None,
        "worker_version": origin.worker_version if origin else "",
        "topic": origin.topic if origin else None,
        "partition": origin.partition if origin else None,
        "offset": origin.offset if origin else None,
        "timestamp_ms": origin.timestamp_ms if origin else None,
        "bytes": letter.value_bytes,
        "left_out": letter.left_out is not None,
    }


def contents_object(letter: Letter, body: Contents) -> dict[str, Any]:
    """Return what is in a letter as JSON for programs, without its bytes."""
    frame = body.frame.model_dump(mode="json", exclude={"data"}) if body.frame else None
    return {
        "headers": [[name, _shown(value)] for name, value in letter.record.headers],
        "frame": frame,
        "jpeg_bytes": len(body.jpeg) if body.jpeg is not None else None,
        "picture": body.size,
        "problems": body.errors,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return a table for people, of letters as objects."""
    lines = [
        ("ID", "DEAD-LETTERED", "CAMERA", "FRAME", "BYTES", "ERROR", "TEXT"),
        *(
            (
                row["id"], _clock(row["put_aside_at_ms"]), _cut(row["camera_id"]),
                "-" if row["seq"] is None else str(row["seq"]),
                f"{row['bytes']} left out" if row["left_out"] else str(row["bytes"]),
                _cut(row["error_class"]) or "-",
                _cut(row["error_text"]),
            )
            for row in rows
        ),
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_text(letter: Letter, body: Contents) -> str:
    """Everything about a letter, for people; never its bytes, which could be anything."""
    origin = letter.origin
    lines = [f"{letter.id}, dead-lettered {_clock(letter.record.timestamp_ms)}, camera {_cut(letter.camera)}"]
    if origin is None:
        lines.append("its headers do not say where it lay and why it is here")
    else:
        lines += [
            f"lay on {printable(origin.topic)}[{origin.partition}]@{origin.offset}, sent {_clock(origin.timestamp_ms)}",
            f"error: {printable(origin.error_class)}: {printable(origin.error_text)}",
            f"attempts: {origin.attempts}, the last by groundcam {printable(origin.worker_version)}",
        ]
    size = letter.record.size
    if body.frame:
        frame = body.frame
        lines.append(
            f"{size} bytes, a frame: camera {frame.camera_id}, run {printable(frame.run_id)}, seq {frame.seq},"
            f" {frame.width}x{frame.height} of a source of {frame.source_width}x{frame.source_height},"
            f" a JPEG of {len(frame.data)} bytes"
        )
    elif letter.left_out is None:
        lines.append(f"{size} bytes, {'a plain JPEG' if body.jpeg is not None else 'of something else'}")
    if body.size:
        lines.append("the picture can be read: {}x{}".format(*body.size))
    lines += [printable(problem) for problem in body.errors]
    lines.append("headers:")
    lines += [f"  {printable(name)}: {printable(_shown(value))}" for name, value in letter.record.headers]
    return "\n".join(lines)


def _cut(text: str) -> str:
    """Return text for a column, whatever a message is called by its key."""
    shown = printable(text[: WIDEST_TEXT + 1])
    return shown if len(shown) <= WIDEST_TEXT else f"{shown[: WIDEST_TEXT - 3]}..."


def _shown(value: bytes) -> str:
    text = value.decode("utf-8", "replace")
    return text if len(text) <= WIDEST_HEADER else f"{text[:WIDEST_HEADER]}... ({len(value)} bytes)"


def _clock(ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(ms / 1000)) if ms >= 0 else "at an unknown time"
