"""A picture by its address: allowed hosts alone, one connection to an address that was looked at first.

A name is resolved once and the connection goes to that address, so that no second answer of the name server counts;
an address of this network, or of this machine, is none; redirects are not followed.
"""

import asyncio
import http.client
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from urllib.parse import urlsplit

from groundcam_serve.problems import Problem

TIMEOUT_S = 5.0
HTTPS = 443
UNICAST, SIX_TO_FOUR = ipaddress.IPv6Network("2000::/3"), ipaddress.IPv6Network("2002::/16")
"""RFC 4291, RFC 3056."""
OK = 200
CHUNK = 64 * 1024
_THREADS = ThreadPoolExecutor(8, thread_name_prefix="fetch")
"""Threads of their own: slow hosts, and slow name servers, hold up no other work."""


async def fetch(url: str, index: int, hosts: Sequence[str], most: int) -> bytes:
    """Return what lies at an address. Raises Problem."""
    if not hosts:
        why = f"picture {index}: pictures by URL are off here (serve.url_hosts)"
        raise Problem(422, "unprocessable", why, picture=index)
    host, target = _parts(url, index, hosts)
    connected: list[socket.socket] = []
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            return await asyncio.get_running_loop().run_in_executor(_THREADS, _get, host, target, most, connected)
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = str(error) if isinstance(error, _RefusedError) else type(error).__name__
        raise Problem(422, "unprocessable", f"picture {index} cannot be fetched: {reason}", picture=index) from None
    finally:
        for one in connected:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)  # whoever reads from it, a byte every few seconds, is through


class _RefusedError(ValueError):
    """What is there is not fetched."""


def _parts(url: str, index: int, hosts: Sequence[str]) -> tuple[str, str]:
    """Return an address's host and the rest. Raises Problem."""

    def refused(why: str) -> Problem:
        return Problem(422, "unprocessable", f"picture {index}: {why}", picture=index)

    # Parsers differ over these: one host is looked at, and another one asked.
    if not url.isascii() or any(one in url for one in "\\ \t\r\n@"):
        raise refused("its address has a character in it that has no place there")
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or HTTPS
    except ValueError:
        raise refused("its address cannot be read") from None
    if parts.scheme != "https" or port != HTTPS:
        raise refused("its address is not https")
    if not any(host == one.lower() or (one.startswith(".") and host.endswith(one.lower())) for one in hosts):
        raise refused(f"the host {host[:100]!r} is none that serve.url_hosts allows")
    return host, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _get(host: str, target: str, most: int, connected: list[socket.socket]) -> bytes:
    """Fetch; `connected` gets what is connected meanwhile. Raises OSError, HTTPException and _RefusedError."""
    addresses = [found[4][0] for found in socket.getaddrinfo(host, HTTPS, type=socket.SOCK_STREAM)]
    public = [one for one in addresses if _is_public(str(one))]
    if not public or len(public) < len(addresses):
        raise _RefusedError("its host is an address of this network")
    context = ssl.create_default_context()
    with (
        socket.create_connection((str(public[0]), HTTPS), TIMEOUT_S) as plain,
        context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False) as secured,
    ):
        connected.append(secured)
        secured.do_handshake()
        connection = http.client.HTTPSConnection(host, timeout=TIMEOUT_S)
        connection.sock = secured
        connection.request("GET", target, headers={"Accept": "image/*", "User-Agent": "groundcam"})
        answer = connection.getresponse()
        if answer.status != OK:
            raise _RefusedError(f"its host answers {answer.status}, and redirects are not followed")
        return _read(answer, most)


def _read(answer: http.client.HTTPResponse, most: int) -> bytes:
    data = b""
    while chunk := answer.read(CHUNK):
        data += chunk
        if len(data) > most:
            raise _RefusedError(f"it is larger than {most} bytes")
    return data


def _is_public(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    if isinstance(found, ipaddress.IPv6Address) and (found not in UNICAST or found in SIX_TO_FOUR):
        return False  # among them are such that hold an address of IPv4: NAT64, 6to4
    return found.is_global and not found.is_multicast
