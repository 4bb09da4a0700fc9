"""What the demo leaves behind: an annotated video of each camera and a contact sheet, drawn from the messages."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from groundcam.frame_join import JoinedFrame
from groundcam_producers.films.writer import VideoWriter
from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.pictures.drawing import caption, draw, draw_path, enlarge, sheet, write
from groundcam_runtime.pictures.image import Image
from groundcam_schemas import Event

HEIGHT = 540
FPS = 25
MOMENTS = 3
PATH_NS = 6_000_000_000


def picture(frame: JoinedFrame, events: Sequence[Event] = ()) -> Image:
    """Return the frame with what was found in it and the paths so far, and below it camera, question and latency."""
    answer = frame.answer
    image = enlarge(decode_jpeg(frame.jpeg), HEIGHT)
    for class_id, points in paths(events, answer.captured_at_ns):
        draw_path(image, points, class_id)
    drawn = draw(image, answer.objects, (answer.source_width, answer.source_height))
    asked = f"{answer.camera_id}: {', '.join(answer.question.classes)}?"
    return caption(drawn, asked, f"frame {answer.frame.seq}   {frame.latency_s * 1000:.0f} ms")


def paths(events: Sequence[Event], at_ns: int) -> Iterator[tuple[int, list[tuple[float, float]]]]:
    """Yield the class and the latest points of each object's path at a time; `events` are each one's last."""
    for event in events:
        if event.first.captured_at_ns <= at_ns <= event.last.captured_at_ns:
            points = [(one.x, one.y) for one in event.path if at_ns - PATH_NS <= one.at_ns <= at_ns]
            if len(points) > 1:
                yield event.class_id, points


def write_gallery(
    seen: Mapping[str, Sequence[JoinedFrame]],
    events: Mapping[str, Sequence[Event]],
    out: Path,
    go_on: Callable[[], None],
) -> list[Path]:
    """Write everything into a folder and return the files. Raises OSError, and what `go_on` raises."""
    written, moments = [], []
    for camera_id, frames in seen.items():
        if not frames:
            continue
        ordered = sorted(frames, key=lambda one: (one.answer.captured_at_ns, one.answer.frame.seq))
        start_ns = ordered[0].answer.captured_at_ns
        lives = list({one.id: one for one in events.get(camera_id, ())}.values())
        first = picture(ordered[0])
        path = out / f"{camera_id}.mp4"
        with VideoWriter(path, (first.shape[1], first.shape[0]), fps=FPS) as video:
            last_s = -1.0
            for one in ordered:
                go_on()
                # Two frames of one millisecond cannot both be shown.
                at_s = max((one.answer.captured_at_ns - start_ns) / 1e9, last_s + 0.001)
                video.write(picture(one, lives), at_s)
                last_s = at_s
        written.append(path)
        chosen = [ordered[len(ordered) * (2 * at + 1) // (2 * MOMENTS)] for at in range(MOMENTS)]
        moments += [picture(one, lives) for one in chosen]
    if moments:
        write(out / "contact-sheet.png", sheet(moments, MOMENTS))
        written.append(out / "contact-sheet.png")
    return written
