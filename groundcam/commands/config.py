"""`groundcam config`"""

import json
from pathlib import Path
from typing import Annotated

import typer

from groundcam.columns import columns
from groundcam.commands.options import BootstrapServers, Config, HttpPort, LogFormat, LogLevel, start
from groundcam.config.example import example as example_of
from groundcam.config.layers import options_layer
from groundcam.config.names import every_name, has
from groundcam.config.origins import in_force
from groundcam.config.written import in_yaml
from groundcam.settings import Settings, examine, file_layers, variable_layers
from groundcam_runtime.printable import printable
from groundcam_runtime.settings import SettingError

app = typer.Typer(help="The settings: those in force, what is wrong with a file, and an example.", no_args_is_help=True)


@app.command("show")
def show(
    config: Config = None,
    bootstrap_servers: BootstrapServers = None,
    http_port: HttpPort = None,
    log_format: LogFormat = None,
    log_level: LogLevel = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line for each setting.")] = False,
) -> None:
    """Show every setting in force, and where its value comes from. Secrets are left out."""
    settings = start(config, bootstrap_servers, log_format, log_level, http_port)
    options = {
        "kafka.bootstrap_servers": bootstrap_servers, "http.port": http_port,
        "log.format": log_format, "log.level": log_level,
    }  # fmt: skip
    layers = [*file_layers(config), *variable_layers(), options_layer(options)]
    found = list(in_force(settings, layers))
    if as_json:
        for one in found:
            print(json.dumps({"setting": one.name, "value": one.value, "source": one.source}))
    else:
        rows = [(one.name, in_yaml(one.value), one.source) for one in found]
        print(columns([("SETTING", "VALUE", "SOURCE"), *(tuple(map(printable, row)) for row in rows)]))


@app.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file.")],
    variables: Annotated[
        bool, typer.Option("--variables", help="Take environment variables into account, as the other commands do.")
    ] = False,
) -> None:
    """Say everything that is wrong with a settings file, with line and column.

    Looks at the file alone: opens no camera, no secret's file, and does not ask Kafka (`groundcam doctor` does). Exit
    codes: 0 when it is right, 1 when something is wrong.
    """
    if not file.is_file():
        raise SettingError(f"{file} is no file" if file.exists() else f"there is no file {file}")
    try:
        layers = file_layers(file)
        _, faults = examine([*layers, *(variable_layers() if variables else ())])
    except SettingError as unreadable:
        faults = [str(unreadable)]
    for fault in faults:
        print(printable(fault))
    if faults:
        raise typer.Exit(1)
    names = [path for path in every_name(Settings) if len(path) == 2 and has(layers[0].content, path)]
    print(f"{file} is right: {len(names)} setting{'s' if len(names) != 1 else ''}")


@app.command("example")
def example() -> None:
    """Print a complete settings file with comments: every setting with its default."""
    for line in example_of(Settings):
        print(line)
