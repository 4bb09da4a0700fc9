"""Passwords as they are kept: scrypt's result with its parameters and its salt. Pure, but for the salt of a new one.

OWASP's Password Storage Cheat Sheet asks for N = 2^17, r = 8, p = 1 where memory allows it, and counts N = 2^15, r = 8,
p = 3 as equal: 32 MiB a computation, a fifth of a second on a small core. Passwords are compared in the form that
NIST SP 800-63B asks for, NFKC, so that they are the same on every keyboard.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata
from dataclasses import dataclass

N, R, P = 2**15, 8, 3
SALT_BYTES, HASH_BYTES = 16, 32
SHORTEST, LONGEST = 12, 1024
"""Characters."""
MOST_BYTES = 256 * 1024 * 1024
"""Of memory for one computation, whatever a file asks for."""
MOST_WORK = 8 * N * R * P
SHAPE = "scrypt$N$r$p$SALT$HASH"


@dataclass(frozen=True, slots=True)
class Hash:
    """A password that is kept."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def fits(self, password: str) -> bool:
        """Whether it is this password; takes as long as scrypt does, and lets other threads run meanwhile."""
        return hmac.compare_digest(_scrypt(password, self.salt, self.n, self.r, self.p), self.digest)


def hash_in(text: str) -> Hash:
    """Read a password that is kept, within bounds. Raises ValueError, whose sentence does not show it."""
    name, *parts = text.split("$")
    if name != "scrypt" or len(parts) != 5 or not all(one.isascii() and one.isdigit() for one in parts[:3]):
        raise ValueError(f"it is not like {SHAPE} (groundcam users password makes it)")
    if any(len(one) > 10 for one in parts[:3]):
        raise ValueError("N, r and p are numbers of ten digits at most")
    n, r, p = map(int, parts[:3])
    if n < N // 2 or n & (n - 1) or r < R or not 1 <= p <= 16 or n * r * 128 > MOST_BYTES or n * r * p > MOST_WORK:
        raise ValueError(f"N is a power of 2 from {N // 2} up, r from {R} and p from 1 up, within bounds of work")
    try:
        salt, digest = (base64.b64decode(one + "=" * (-len(one) % 4), b"-_", validate=True) for one in parts[3:])
    except (binascii.Error, ValueError):
        raise ValueError("SALT and HASH are in base64 (that of URLs)") from None
    if not (8 <= len(salt) <= 64 and len(digest) == HASH_BYTES):
        raise ValueError(f"SALT has 8 to 64 bytes, and HASH {HASH_BYTES}")
    return Hash(n, r, p, salt, digest)


def kept(password: str) -> str:
    """Return a new password as it is kept."""
    salt = secrets.token_bytes(SALT_BYTES)
    coded = (base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in (salt, _scrypt(password, salt, N, R, P)))
    return f"scrypt${N}${R}${P}${'$'.join(coded)}"


def too_weak(password: str) -> str | None:
    """Return why a password may not be chosen, or None."""
    if not SHORTEST <= len(password) <= LONGEST:
        return f"a password has from {SHORTEST} to {LONGEST} characters, and this one {len(password)}"
    if len(set(password)) < 5:
        return "a password has at least 5 different characters"
    return None


NOBODYS = Hash(N, R, P, bytes(SALT_BYTES), bytes(HASH_BYTES))
"""What an unknown user's password is compared with, so that it takes as long as a known one's; it fits none."""


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    text = unicodedata.normalize("NFKC", password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(text, salt=salt, n=n, r=r, p=p, maxmem=2 * MOST_BYTES, dklen=HASH_BYTES)
