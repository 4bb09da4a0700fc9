"""`groundcam schema`"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="The messages' contract.", no_args_is_help=True)


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Where to write the files; made if need be.")] = Path("schemas-out"),
) -> None:
    """Write the JSON Schema of every message."""
    from groundcam_schemas.export import export as export_schemas

    for path in export_schemas(folder):
        print(path)


@app.callback()
def _group() -> None:
    """Keep `export` a command of its own, as there will be others."""
