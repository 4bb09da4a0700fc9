"""Pictures to JPEG, small enough for the topic. The only file that imports simplejpeg."""

import simplejpeg

from groundcam_producers.scaling import Planes

FALLBACK_QUALITIES = (60, 35)


def encode(planes: Planes, quality: int, max_bytes: int) -> bytes | None:
    """Return a JPEG, of less quality where it would be too large, or None where that does not help either."""
    for attempt in (quality, *(lower for lower in FALLBACK_QUALITIES if lower < quality)):
        jpeg: bytes = simplejpeg.encode_jpeg_yuv_planes(*planes, quality=attempt)
        if len(jpeg) <= max_bytes:
            return jpeg
    return None
