"""`groundcam users`"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from groundcam.columns import columns
from groundcam_runtime.settings import SettingError
from groundcam_serve.passwords import LONGEST, SHORTEST, kept, too_weak
from groundcam_serve.user_file import load, save
from groundcam_serve.users import ROLES, User, Users, name_of, user_of

app = typer.Typer(help="People who log in to the HTTP service.", no_args_is_help=True)

File = Annotated[Path, typer.Option("--file", metavar="FILE", help="The file for serve.users_file.")]
Name = Annotated[str, typer.Argument(help="What this person logs in with; stands in logs.")]
FromInput = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input instead of asking for it.")
]
USERS = Path("users.yaml")


@app.command("add")
def add(
    name: Name,
    role: Annotated[
        str, typer.Option(help="viewer sees; operator asks questions, too; admin chooses models, too.")
    ] = "viewer",
    camera: Annotated[
        list[str] | None, typer.Option(help="A camera that this person sees. Repeat it.", show_default="all")
    ] = None,
    file: File = USERS,
    *,
    password_stdin: FromInput = False,
) -> None:
    """Add somebody; a file that is not there is made, with the key that signs sessions."""
    users = load(file, may_be_new=True)
    if role not in ROLES:
        raise typer.BadParameter(f"--role is one of {', '.join(ROLES)}, not {role}")
    if users.named(name):
        raise SettingError(f"NAME: there is a user {name} in {file} already (groundcam users password)")
    try:
        name = name_of(name)
        user = user_of(name, kept(_password(is_given=password_stdin)), role, tuple(camera) if camera else None)
    except ValueError as error:
        raise SettingError(str(error)) from None
    save(file, users.changed(name, user))
    print(f"{user.name} may log in as {user.role} (serve.users_file: {file})")


@app.command("password")
def password(name: Name, file: File = USERS, *, password_stdin: FromInput = False) -> None:
    """Give somebody another password; who has logged in with the old one is out."""
    users = load(file)
    user = _known(users, name, file)
    save(file, users.changed(name, user.model_copy(update={"password": kept(_password(is_given=password_stdin))})))
    print(f"{user.name} has another password, and is logged out")


@app.command("remove")
def remove(name: Name, file: File = USERS) -> None:
    """Remove somebody, who is logged out within a second."""
    users = load(file)
    save(file, users.changed(_known(users, name, file).name, None))
    print(f"{name} is removed")


@app.command("list")
def show(file: File = USERS) -> None:
    """List who may log in."""
    rows = [(one.name, one.role, ", ".join(one.cameras or ()) or "all") for one in load(file).users]
    print(columns([("NAME", "ROLE", "CAMERAS"), *rows]))


def _known(users: Users, name: str, file: Path) -> User:
    user = users.named(name)
    if user is None:
        raise SettingError(f"NAME: there is no user {name} in {file} (groundcam users list)")
    return user


def _password(*, is_given: bool) -> str:
    """Return a new password, which is not shown. Raises SettingError."""
    if is_given:
        given = sys.stdin.readline(LONGEST + 2).rstrip("\r\n")
    elif not sys.stdin.isatty():
        raise SettingError("--password-stdin is needed where there is no terminal to ask for the password")
    else:
        typer.echo(f"At least {SHORTEST} characters; several words are easy to remember.", err=True)
        given = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    if why := too_weak(given):
        raise SettingError(f"--password-stdin: {why}" if is_given else why)
    return given
