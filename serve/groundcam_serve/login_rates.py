"""How often somebody may try to log in: token buckets, of clients' addresses and of names. Pure, and bounded.

Where there are too many to tell apart, those that are new share a bucket: nobody gets rid of a full count by coming
with many names or addresses.
"""

import ipaddress
import math
from dataclasses import dataclass

AT_ONCE = 5
EACH_S = 12.0
MOST = 10_000
OTHERS = ""


@dataclass(slots=True)
class _Bucket:
    left: float
    at_s: float


class Buckets:
    """What each has left."""

    def __init__(self, at_once: int = AT_ONCE, each_s: float = EACH_S, most: int = MOST) -> None:
        self._at_once, self._each_s, self._most = at_once, each_s, most
        self._buckets: dict[str, _Bucket] = {}
        self._swept_s = -math.inf

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, whose: str, now_s: float) -> float | None:
        """Use one; return after how many seconds there will be one, or None where there was."""
        if whose not in self._buckets and len(self._buckets) >= self._most:
            self._sweep(now_s)
            whose = whose if len(self._buckets) < self._most else OTHERS
        bucket = self._buckets.setdefault(whose, _Bucket(self._at_once, now_s))
        self._fill(bucket, now_s)
        if bucket.left < 1:
            return (1 - bucket.left) * self._each_s
        bucket.left -= 1
        return None

    def _fill(self, bucket: _Bucket, now_s: float) -> None:
        bucket.left = min(self._at_once, bucket.left + (now_s - bucket.at_s) / self._each_s)
        bucket.at_s = now_s

    def _sweep(self, now_s: float) -> None:
        """Forget those that are full again; not at every turn, since it takes a look at all."""
        if now_s - self._swept_s < self._each_s:
            return
        self._swept_s = now_s
        for bucket in self._buckets.values():
            self._fill(bucket, now_s)
        self._buckets = {whose: one for whose, one in self._buckets.items() if one.left < self._at_once}


class LoginRates:
    """Of addresses and of names."""

    def __init__(self) -> None:
        self._addresses, self._names = Buckets(), Buckets()

    def take(self, address: str, name: str | None, now_s: float) -> float | None:
        """Count an attempt; return after how many seconds one may be made, or None for this one.

        `name` is None for who comes with a key. An address that may not try costs the name nothing.
        """
        wait_s = self._addresses.take(_of_one_client(address), now_s)
        return wait_s if wait_s is not None or name is None else self._names.take(f"={name}", now_s)


def _of_one_client(address: str) -> str:
    """A client has a network of IPv6 addresses, of 64 bits."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else address
