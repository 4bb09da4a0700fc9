"""`groundcam keys`"""

from typing import Annotated, cast

import typer
import yaml

from groundcam_serve.keys import SCOPES, Scope, new_key

app = typer.Typer(help="Keys for the HTTP service.", no_args_is_help=True)


@app.callback()
def _keys() -> None:
    """Keep `new` a command of its own."""


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(help="Whose key it is; stands in logs.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=f"What it may: {', '.join(SCOPES)}. Repeat it.", show_default="all of them"),
    ] = None,
) -> None:
    """Make a key, and print it with its entry for serve.keys_file. Nobody keeps the key itself."""
    scopes = tuple(scope or SCOPES)
    if unknown := [one for one in scopes if one not in SCOPES]:
        raise typer.BadParameter(f"--scope is one of {', '.join(SCOPES)}, not {unknown[0]}")
    secret, key = new_key(name, cast("tuple[Scope, ...]", scopes))
    entry = {"keys": [{"name": key.name, "sha256": key.sha256, "scopes": list(key.scopes)}]}
    print(f"# the key, for the client alone: {secret}")
    print("# for serve.keys_file; cameras: [gate] and pictures_per_s: 10 narrow it down")
    print(yaml.safe_dump(entry, sort_keys=False, allow_unicode=True), end="")
