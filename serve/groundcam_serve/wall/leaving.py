"""How a viewer is left, so that it learns why.

The server drops a connection right behind its close frame. A page that speaks at that moment then finds the connection
broken, and never reads the frame. So a page that asks for replies is told in a message, and closes by itself.
"""

import asyncio
from contextlib import suppress

from starlette.websockets import WebSocket

from groundcam_serve.wall.messages import farewell, said_in

POLICY, AGAIN = 1008, 1013
"""Of WebSockets: what was sent is not allowed; there is no room now (RFC 6455, IANA's registry)."""
PATIENCE_S = 2.0
"""So long a page has for its first message, or to close what it was told is over."""


class Gone(Exception):  # noqa: N818 - no error
    """The viewer goes, or has to; with the WebSocket's code and the reason in words."""

    def __init__(self, code: int = 1000, reason: str = "") -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


async def refuse(socket: WebSocket, gone: Gone) -> None:
    """Close a connection that was accepted and is not served."""
    asks_replies = False
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            received = await socket.receive()
            with suppress(ValueError):
                asks_replies = said_in(received.get("text") or "").reply
    await leave(socket, gone, asks_replies=asks_replies)


async def leave(socket: WebSocket, gone: Gone, *, asks_replies: bool) -> None:
    """Close a connection, unless it is closed already."""
    with suppress(RuntimeError):  # it is
        if asks_replies:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await socket.send_text(farewell(gone.code, gone.reason))
                    while (await socket.receive())["type"] != "websocket.disconnect":
                        pass
        await socket.close(gone.code, gone.reason)
