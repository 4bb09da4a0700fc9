"""The console's files, with what keeps scripts of others away from them."""

from importlib.resources import files

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

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


class ConsoleFiles(StaticFiles):
    """Serves what is in the folder `static` beside this file."""

    def __init__(self) -> None:
        super().__init__(directory=str(files("groundcam_serve.console") / "static"), html=True)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, under a policy that allows no script but ours."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response
