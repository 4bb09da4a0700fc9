"""What the demo leaves behind: an annotated video of each camera and a contact sheet, drawn from the messages."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from groundcam.frame_join import JoinedFrame
from groundcam_producers.films.writer import VideoWriter
from groundcam_runtime.pictures.decoding import decode_jpeg
from groundcam_runtime.pictures.drawing import caption, draw, enlarge, sheet, write
from groundcam_runtime.pictures.image import Image

HEIGHT = 540
FPS = 25
MOMENTS = 3


def picture(frame: JoinedFrame) -> Image:
    """Return the frame with what was found in it, and below it camera, question and latency."""
    answer = frame.answer
    image = enlarge(decode_jpeg(frame.jpeg), HEIGHT)
    drawn = draw(image, answer.objects, (answer.source_width, answer.source_height))
    asked = f"{answer.camera_id}: {', '.join(answer.question.classes)}?"
    return caption(drawn, asked, f"frame {answer.frame.seq}   {frame.latency_s * 1000:.0f} ms")


def write_gallery(seen: Mapping[str, Sequence[JoinedFrame]], out: Path, go_on: Callable[[], None]) -> list[Path]:
    """Write everything into a folder and return the files. Raises OSError, and what `go_on` raises."""
    written, moments = [], []
    for camera_id, frames in seen.items():
        if not frames:
            continue
        ordered = sorted(frames, key=lambda one: (one.answer.captured_at_ns, one.answer.frame.seq))
        start_ns = ordered[0].answer.captured_at_ns
        first = picture(ordered[0])
        path = out / f"{camera_id}.mp4"
        with VideoWriter(path, (first.shape[1], first.shape[0]), fps=FPS) as video:
            last_s = -1.0
            for one in ordered:
                go_on()
                # Two frames of one millisecond cannot both be shown.
                at_s = max((one.answer.captured_at_ns - start_ns) / 1e9, last_s + 0.001)
                video.write(picture(one), at_s)
                last_s = at_s
        written.append(path)
        moments += [picture(ordered[len(ordered) * (2 * at + 1) // (2 * MOMENTS)]) for at in range(MOMENTS)]
    if moments:
        write(out / "contact-sheet.png", sheet(moments, MOMENTS))
        written.append(out / "contact-sheet.png")
    return written
