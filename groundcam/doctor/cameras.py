"""The cameras of the settings: each is opened, for one picture."""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from groundcam.doctor.finding import Finding, Weight
from groundcam_producers.errors import SourceError
from groundcam_producers.settings import CameraSettings
from groundcam_runtime.settings import SettingError

AT_ONCE = 8


def cameras(named: Mapping[str, CameraSettings], timeout_s: float) -> Iterator[Finding]:
    """Open each camera, some at once, each for at most `timeout_s` for the connection and as long for a picture."""
    if not named:
        yield Finding("cameras", "no camera is set (produce.cameras)", Weight.HINT)
        return
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="camera")
    waiting: dict[str, Future[str]] = {name: pool.submit(_first_picture, one, timeout_s) for name, one in named.items()}
    # A native call that hangs blocks nobody: whoever asked ends the process.
    rounds = 1 + len(named) // AT_ONCE
    for name, future in waiting.items():
        try:
            yield Finding("cameras", f"{name}: {future.result(3 * timeout_s * rounds)}")
        except TimeoutError:
            yield Finding("cameras", f"{name}: nothing came in {3 * timeout_s * rounds:.0f} s", Weight.WRONG)
        except ImportError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this camera
            known = isinstance(error, SourceError | SettingError)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            yield Finding("cameras", f"{name}: {text}", Weight.WRONG)
    pool.shutdown(wait=False, cancel_futures=True)


def _first_picture(camera: CameraSettings, timeout_s: float) -> str:
    """Return what the source shows. Raises SourceError, SettingError."""
    from groundcam_producers.rtsp.relay import RtspRelay
    from groundcam_producers.video import PictureFolder, VideoSource

    url = camera.full_url()
    if not camera.is_live and not Path(url).exists():
        raise SettingError(f"there is no file or folder {url}")
    folder = not camera.is_live and Path(url).is_dir()
    transport: Literal["tcp", "udp"] = "udp" if camera.transport == "udp" else "tcp"
    relay = RtspRelay(url, camera.trust, timeout_s, transport) if camera.is_live else None
    with (
        PictureFolder(Path(url), 1.0, viewing=camera.viewing)
        if folder
        else VideoSource(
            url, is_live=camera.is_live, timeout_s=timeout_s, relay=relay, viewing=camera.viewing, transport=transport
        )
    ) as source:
        for picture in source:
            width, height = picture.size
            return f"{camera.public_url} gives pictures of {width}x{height}"
    raise SettingError(f"{camera.public_url} gives no picture")
