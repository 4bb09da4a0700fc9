"""GET /v1/wall: pictures of cameras with what was found in them, over one WebSocket."""

from fastapi import APIRouter, WebSocket

from groundcam_serve.door import Door
from groundcam_serve.problems import Problem
from groundcam_serve.wall.leaving import AGAIN, POLICY, Gone, leave, refuse
from groundcam_serve.wall.viewer import Viewer

router = APIRouter()


@router.websocket("/v1/wall")
async def wall(socket: WebSocket) -> None:
    """Send pictures to a page that looks; `wall/messages.py` has the form of both sides' messages."""
    door: Door = socket.app.state.door
    # A page is told why only over a socket that was accepted; one of another site was refused before.
    await socket.accept()
    try:
        door.require(socket, "cameras")
    except Problem as problem:
        await refuse(socket, Gone(POLICY, str(problem)[:120]))
        return
    if door.wall is None or door.wall.viewers >= door.settings.max_viewers:
        why = "there are too many viewers already" if door.wall else "pictures are not shown here"
        await refuse(socket, Gone(AGAIN, why))
        return
    viewer = Viewer(socket, door.wall, lambda: door.require(socket, "cameras"))
    door.wall.watch(viewer, ())
    gone = await viewer.serve()
    await leave(socket, gone, asks_replies=viewer.asks_replies)
