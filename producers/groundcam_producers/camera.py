"""One camera's loop: open, take pictures, sample, scale, encode, publish, and open again."""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from typing import Literal

from groundcam_producers import announcements
from groundcam_producers.backoff import Backoff
from groundcam_producers.errors import (
    NO_MEMORY,
    SourceError,
    SourceHungError,
    SourceRefusedError,
    SourceTooLargeError,
    SourceUnusableError,
)
from groundcam_producers.feed import End, Feed, Feeds
from groundcam_producers.films.decoded import Decoded
from groundcam_producers.jpeg import encode
from groundcam_producers.opening import opened
from groundcam_producers.outbox import Outbox
from groundcam_producers.pace import Pace
from groundcam_producers.rtsp.relay import NO_TRANSPORT, RtspRelay
from groundcam_producers.sampler import Sampler
from groundcam_producers.scaling import Scaler, fit
from groundcam_producers.settings import Tuning
from groundcam_producers.task import Beat, CameraTask
from groundcam_runtime.recurring import Recurring
from groundcam_runtime.settings import SettingError
from groundcam_schemas import CameraState, Frame, GapReason

log = logging.getLogger(__name__)
recurring = Recurring(log)

BEAT_S = 0.5
# Cameras lock out who knocks with a wrong password too often, and what is too large costs much at each try.
REFUSED_S = 60.0
STEADY_S = 10.0
ENVELOPE_BYTES = 1024
# For files whose pictures carry no time.
USUAL_FPS = 25.0


class CameraLoop:
    """Serves one camera until it is asked to stop, or its file has ended."""

    def __init__(self, task: CameraTask, outbox: Outbox, run_id: str, beat: Callable[[Beat], None]) -> None:
        self._task = task
        self._is_live = task.camera.is_live
        self._outbox = outbox
        self._run_id = run_id
        self._send_beat = beat
        self._beat_at = 0.0
        self._beat_state: CameraState | None = None
        self._stopping = threading.Event()
        self._numbers = count()
        self._tuning = task.tuning
        self._feeds = Feeds(task.produce.hang_s)
        self._sampler = Sampler(self._tuning.fps)
        self._scaler = Scaler(self._tuning.max_size)
        self._backoff = Backoff(1.0, 60.0, random.random)
        self._away_since_ns = task.away_since_ns
        self._last_frame_ns: int | None = None
        self._reason: str | None = None
        self._transport: Literal["tcp", "udp"] = "udp" if task.camera.transport == "udp" else "tcp"
        # Both go on when a file is played again.
        self._pace = None if self._is_live or task.produce.every_frame else Pace()
        self._offset_s = 0.0

    def stop(self) -> None:
        """Ask the loop to end soon; may be called from another thread, and not from a signal handler."""
        self._stopping.set()

    def retune(self, tuning: Tuning) -> None:
        """Go on like this from the next picture on. Belongs to the loop's own thread, on which `beat` is called."""
        if tuning.fps != self._tuning.fps:
            self._sampler.retune(tuning.fps)
        if tuning.max_size != self._tuning.max_size:
            self._scaler = Scaler(tuning.max_size)
        self._tuning = tuning

    def run(self) -> None:
        """Serve. Raises SourceUnusableError for a file that is none, SourceHungError for a call that hangs."""
        while not self._stopping.is_set():
            if self._outbox.state is not CameraState.ONLINE:  # a file that begins again stays online
                self._outbox.status(CameraState.CONNECTING)
            self.beat(now=True)
            if self._is_live:
                self._serve_live()
            elif not self._serve_file():
                break
        if self._away_since_ns is not None:
            self._outbox.away(self._away_since_ns, time.time_ns())
        self._outbox.status(CameraState.OFFLINE)

    def _serve_live(self) -> None:
        """Publish until the camera goes away, and wait for the next try. Raises SourceHungError."""
        frames = 0
        try:
            for _ in self._play():
                frames += 1
            error = SourceError("the stream ended", "EndOfStream")
        except SourceHungError:
            raise
        except SourceError as failed:
            error = failed
        if not self._stopping.is_set():
            self._wait_for_retry(error, had_frames=frames > 0)

    def _serve_file(self) -> bool:
        """Publish a file once; return whether to play it again. Raises SourceUnusableError, SourceHungError.

        A file that cannot be played ends a job, and is tried again by a producer that goes on for ever.
        """
        try:
            frames = sum(1 for _ in self._play())
            if not frames and not self._stopping.is_set():
                raise SourceUnusableError("not one picture in it can be decoded", "NoPicture")
        except SourceHungError:
            raise
        except SourceError as failed:
            if self._task.is_job:
                raise SourceUnusableError(str(failed), failed.kind) from None
            self._wait_for_retry(failed, had_frames=False)
            return True
        if self._stopping.is_set():
            return False
        if not self._tuning.loops:
            frames = next(self._numbers)  # of which no more comes
            where = self._task.camera.public_url
            log.info(
                "camera %s: the end of %s, %d frames", self._task.camera_id, where, frames, extra={"frames": frames}
            )
        return self._tuning.loops

    def _play(self) -> Iterator[None]:
        """Publish until the stream ends; yield after each picture. Raises SourceError."""
        feed = self._feed()
        started, last_s = time.monotonic(), 0.0
        try:
            for index in count():
                decoded = self._next(feed)
                if not isinstance(decoded, Decoded):
                    break
                now = time.monotonic()
                if now - started > STEADY_S:
                    self._backoff.succeeded()
                if self._is_live:
                    # The camera's own stamps may repeat or jump; the time at which its pictures arrive is certain.
                    time_s = now
                else:
                    stamp_s = decoded.time_s if decoded.time_s is not None else index / (feed.fps or USUAL_FPS)
                    last_s = max(last_s, stamp_s)
                    time_s = self._offset_s + stamp_s
                if self._pace is not None:
                    self._sleep(self._pace.wait_s(time_s, now=now))
                if self._stopping.is_set():
                    break
                self._take(decoded, time_s, feed.fps)
                yield
            self._offset_s += last_s + 1 / (feed.fps or USUAL_FPS)
        finally:
            feed.stop()

    def _next(self, feed: Feed) -> Decoded | End | None:
        """Wait for a picture, doing meanwhile what cannot wait; None when asked to stop. Raises SourceError."""
        while not self._stopping.is_set():
            self._outbox.poll()
            self.beat()
            got = feed.take(BEAT_S)
            if got is not None:
                return got
            if feed.silent_s > self._task.produce.hang_s:
                raise SourceHungError(f"it has given nothing for {feed.silent_s:.0f} s", "Hang")
            # To be connected takes its time, and so does the first picture.
            longest_s = self._task.produce.timeout_s * (1 if self._outbox.state is CameraState.ONLINE else 2)
            if self._is_live and feed.silent_s > longest_s:
                # What it still has to give is from before its silence.
                raise SourceError(f"it has given no picture for {longest_s:g} s", "TimeoutError")
        return None

    def _take(self, decoded: Decoded, time_s: float, fps: float | None) -> None:
        """Number the frame if it is wanted; from then on it is published or reported."""
        now_ns = time.time_ns()
        if self._away_since_ns is not None:
            self._outbox.away(self._away_since_ns, now_ns)
            self._away_since_ns = None
        self._last_frame_ns = now_ns
        self._reason = None
        self._outbox.totals["frames_decoded"] += 1
        if self._outbox.state is not CameraState.ONLINE:
            log.info(
                "camera %s: %s", self._task.camera_id, announcements.online(self._task, self._tuning, decoded.size, fps)
            )
        self._outbox.status(CameraState.ONLINE, size=decoded.size, fps=fps)
        if not self._sampler.keep(time_s):
            return
        seq = next(self._numbers)
        self._outbox.totals["frames_sampled"] += 1
        if decoded.is_corrupt:
            self._outbox.totals["frames_corrupt"] += 1
            self._outbox.skip(seq, GapReason.UNDECODABLE)
            return
        try:
            frame = self._frame(decoded, seq, now_ns)
        except MemoryError:
            self._outbox.skip(seq, GapReason.TOO_LARGE)
            raise SourceTooLargeError(NO_MEMORY, "MemoryError") from None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is about this frame
            recurring.error("encode", "camera %s: frame %d cannot be encoded: %r", self._task.camera_id, seq, error)
            self._outbox.skip(seq, GapReason.UNDECODABLE)
            return
        if frame is None:
            self._outbox.too_large(seq, fit(decoded.size, self._tuning.max_size))
        else:
            self._outbox.frame(frame, wait=self._wait_for_room if self._task.produce.every_frame else None)

    def _frame(self, decoded: Decoded, seq: int, now_ns: int) -> Frame | None:
        """Return the frame to publish, or None where no quality makes it small enough."""
        planes = self._scaler.planes(decoded)
        jpeg = encode(planes, self._tuning.quality, self._task.max_record_bytes - ENVELOPE_BYTES)
        if jpeg is None:
            return None
        height, width = planes[0].shape
        return Frame(
            camera_id=self._task.camera_id,
            run_id=self._run_id,
            seq=seq,
            captured_at_ns=now_ns,
            pts_ns=round(decoded.time_s * 1e9) if decoded.time_s is not None else None,
            width=width,
            height=height,
            source_width=decoded.size[0],
            source_height=decoded.size[1],
            data=jpeg,
        )

    def _feed(self) -> Feed:
        """Open the source. The password is read each time, since it may have been changed. Raises SourceError."""
        camera, produce = self._task.camera, self._task.produce
        try:
            url = camera.full_url(self._task.environment)
        except SettingError as error:
            raise SourceError(str(error), "SettingError") from None
        relay = RtspRelay(url, camera.trust, produce.timeout_s, self._transport) if self._is_live else None
        source = partial(opened, self._task, url, self._tuning, relay, self._transport)
        return self._feeds.begin(source, relay.close if relay else lambda: None)

    def _wait_for_retry(self, error: SourceError, *, had_frames: bool) -> None:
        if error.kind == NO_TRANSPORT and self._task.camera.transport == "auto" and self._transport == "tcp":
            log.info("camera %s: it does not send over TCP; trying UDP", self._task.camera_id)
            self._transport = "udp"
            return
        refused = isinstance(error, SourceRefusedError)
        self._reason = str(error)
        wait_s = self._backoff.failed()
        if refused or isinstance(error, SourceTooLargeError):
            wait_s = REFUSED_S * (0.5 + random.random() / 2)  # noqa: S311 - jitter, no secret
        if self._away_since_ns is None:
            self._away_since_ns = self._last_frame_ns
        stalled = error.kind == "TimeoutError" and had_frames
        state = CameraState.STALLED if stalled else CameraState.OFFLINE
        self._outbox.status(CameraState.REFUSED if refused else state, error=error.kind)
        log.warning("camera %s: %s (%s); next try in %.1f s", self._task.camera_id, error, error.kind, wait_s)
        self._sleep(wait_s)
        self._outbox.totals["reconnects"] += 1

    def _wait_for_room(self) -> bool:
        self.beat()
        self._stopping.wait(0.01)
        return not self._stopping.is_set()

    def _sleep(self, seconds: float) -> None:
        """Wait, with signs of life, until the time is over or somebody asks to stop."""
        until = time.monotonic() + seconds
        while not self._stopping.is_set() and (left_s := until - time.monotonic()) > 0:
            self._stopping.wait(min(left_s, BEAT_S))
            self._outbox.poll()
            self._away_since_ns = self._outbox.still_away(self._away_since_ns, time.time_ns())
            self.beat()

    def beat(self, *, now: bool = False) -> None:
        """Show life, twice a second."""
        # A new state is sent at once: should this process be killed next, the parent knows since when.
        if not now and time.monotonic() < self._beat_at and self._outbox.state is self._beat_state:
            return
        self._beat_state = self._outbox.state
        self._beat_at = time.monotonic() + BEAT_S
        outbox = self._outbox
        totals, dropped = dict(outbox.totals), dict(outbox.dropped)
        self._send_beat(Beat(outbox.state, self._last_frame_ns, self._reason, totals, dropped))
        outbox.totals.clear()
        outbox.dropped.clear()
