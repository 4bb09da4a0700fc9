"""Ask cameras written questions. `from groundcam import subscribe` reads the answers; it needs no torch."""

from importlib.metadata import version

from groundcam.subscriber import subscribe

__version__ = version("groundcam")

__all__ = ["__version__", "subscribe"]
