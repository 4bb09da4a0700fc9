"""Make the films that the demo's cameras play."""

from collections.abc import Callable
from pathlib import Path

from groundcam.demo.scene import Scene
from groundcam_producers.films.writer import VideoWriter

FPS = 16


def shoot(scene: Scene, folder: Path, go_on: Callable[[], None] = lambda: None) -> Path:
    """Write one period of a scene as an H.264 file and return its path. Raises what `go_on` raises."""
    path = folder / f"{scene.camera_id}.mp4"
    with VideoWriter(path, (scene.width, scene.height), fps=FPS, crf=22) as film:
        for number in range(round(scene.period_s * FPS)):
            go_on()
            film.write(scene.picture(number / FPS), number / FPS)
    return path
