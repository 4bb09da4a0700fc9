"""The signature of a body, for those who send it and those who get it. Pure.

The scheme is Stripe's (docs.stripe.com/webhooks, "Verify manually"): `t=<unix seconds>,v1=<hex>`, where v1 is the
HMAC-SHA256 of the time, a full stop and the body. The time is signed, too, so that nobody can send an old body again.
"""

import hashlib
import hmac

HEADER = "X-Groundcam-Signature"
TOLERANCE_S = 300.0


def sign(secret: str, body: bytes, at_s: float) -> str:
    """Return the header's value."""
    return f"t={int(at_s)},v1={_digest(secret, str(int(at_s)), body)}"


def verify(secret: str, header: str, body: bytes, now_s: float, tolerance_s: float = TOLERANCE_S) -> bool:
    """Whether a body was signed with this secret, not longer ago than `tolerance_s`, and not so far in the future.

    `body` is what came, byte for byte, before anything reads it. Several v1 may be there, of which one must fit.
    """
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit() and len(times[0]) < 16):
        return False
    expected = _digest(secret, times[0], body).encode()
    # Every one is compared, in constant time; as bytes, since only ASCII can be compared as text.
    fits = [hmac.compare_digest(expected, value.encode()) for name, _, value in pairs if name == "v1"]
    return any(fits) and abs(now_s - int(times[0])) <= tolerance_s


def _digest(secret: str, at: str, body: bytes) -> str:
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
