"""One page that looks: takes what it says, and sends it pictures as fast as it draws them."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from groundcam_serve.keys import Key
from groundcam_serve.problems import Problem
from groundcam_serve.wall.leaving import POLICY, Gone
from groundcam_serve.wall.messages import message, reply, said_in
from groundcam_serve.wall.tiles import Tiles
from groundcam_serve.wall.wall import Wall

LOOK_S = 5.0
"""So often it is asked whether the viewer still may look."""
TICK_S = 0.5
"""So long a picture may wait that was held back by a wish for fewer."""


class Viewer:
    """As Looker has it."""

    def __init__(self, socket: WebSocket, wall: Wall, key_of: Callable[[], Key]) -> None:
        """`key_of` says who it is, as of now. Raises Problem."""
        self._socket, self._wall, self._key_of = socket, wall, key_of
        self._tiles = Tiles()
        self._news = asyncio.Event()
        self.asks_replies = False

    def changed(self) -> None:
        """As Looker has it."""
        self._news.set()

    async def serve(self) -> Gone:
        """Serve until the viewer goes, or has to; return why."""
        tasks = [asyncio.create_task(one()) for one in (self._listen, self._send, self._check)]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            found = next(iter(done)).exception()
            if isinstance(found, Gone):
                return found
            if isinstance(found, WebSocketDisconnect | RuntimeError):  # closed, or closed while something was sent
                return Gone()
            raise found or Gone()
        finally:
            self._wall.leave(self)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            received = await self._socket.receive()
            if received["type"] == "websocket.disconnect":
                raise Gone
            try:
                said = said_in(received.get("text") or "")
            except ValueError as error:
                raise Gone(POLICY, str(error)[:120]) from None
            if said.drawn is not None:
                self._tiles.drawn(said.drawn)
            if (wishes := said.wishes) is not None:
                key = self._key_of()
                allowed = {name: wish for name, wish in wishes.items() if key.may_see(name)}
                self._tiles.watch(allowed)
                self._wall.watch(self, self._tiles.cameras)
                self.asks_replies = said.reply
                if said.reply:
                    await self._socket.send_text(reply(self._tiles.cameras))
            self._news.set()

    async def _send(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), TICK_S)
            self._news.clear()
            while (one := self._due()) is not None:
                camera_id, width = one
                look = self._wall.look(camera_id)
                if look is None:
                    break
                data = await self._wall.scaler.scaled(look, width)
                skipped = self._tiles.sent(camera_id, look.number, len(data), time.monotonic())
                if skipped is not None:
                    await self._socket.send_bytes(message(look, data, skipped))

    def _due(self) -> tuple[str, int] | None:
        newest = {name: look.number for name in self._tiles.cameras if (look := self._wall.look(name)) is not None}
        found = next(self._tiles.due(newest, time.monotonic()), None)
        return None if found is None else (found[0], found[1].width)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if self._tiles.is_deaf(time.monotonic()):
                raise Gone(POLICY, "nothing of what was sent was acknowledged")
            try:
                key = self._key_of()
            except Problem as problem:
                raise Gone(POLICY, str(problem)[:120]) from None
            if not (key.may("cameras") and all(key.may_see(name) for name in self._tiles.cameras)):
                raise Gone(POLICY, "this camera may not be looked at any more")
