"""What the fork server imports before its first fork; nobody else may import this, for what it does to signals."""

import signal

from groundcam_producers import process

__all__ = ["process"]

# A signal to the whole group is the parent's to pass on: this server must live to report how each process ended.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_IGN)
