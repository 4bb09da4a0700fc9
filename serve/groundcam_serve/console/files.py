"""The console's files, with what keeps scripts of others away from them."""

from importlib.resources import files

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self';"
        " manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    # A newer version is asked for each time, and comes only where it differs.
    "Cache-Control": "no-cache",
}


def console_files() -> ASGIApp:
    """Serve what is in the folder `static` beside this file, compressed. There is no secret in it."""
    folder = files("groundcam_serve.console") / "static"
    return GZipMiddleware(ConsoleFiles(directory=str(folder), html=True), minimum_size=500)


class ConsoleFiles(StaticFiles):
    """Files with the headers above."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from here: a server that sends a file by itself, as Granian can, sends it uncompressed."""
        known = scope.get("extensions") or {}
        scope["extensions"] = {name: what for name, what in known.items() if name != "http.response.pathsend"}
        await super().__call__(scope, receive, send)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, under a policy that allows no script but ours."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response
