"""What a new reading of the settings changes, camera by camera, and what has to wait for a restart. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from groundcam_producers.settings import CameraSettings, ProduceSettings
from groundcam_runtime.settings import SettingError, SettingsPart

LIVE = ("cameras", "fps", "max_size", "quality", "loop")
"""Settings of the section that are taken over while it runs."""
TUNED = ("fps", "max_size", "loop")
"""Settings of a camera for which it need not be opened again."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Names of cameras; all others go on as they are."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    """Those that are to be found in another way, or looked at in another way."""
    retuned: tuple[str, ...] = ()
    """Those of which other frames are wanted; they stay open."""


def compare(old: Mapping[str, CameraSettings], new: Mapping[str, CameraSettings], tunings: Collection[str]) -> Changes:
    """Return what has changed; `tunings` names the cameras whose tuning has, by themselves or by the section."""
    stay = [name for name in new if name in old]
    reopened = tuple(name for name in stay if _opening(old[name]) != _opening(new[name]))
    return Changes(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        reopened=reopened,
        retuned=tuple(name for name in stay if name in tunings and name not in reopened),
    )


def retuned(old: ProduceSettings, new: ProduceSettings) -> set[str]:
    """Return the cameras of both of which other frames are wanted."""
    both = old.cameras.keys() & new.cameras.keys()
    return {name for name in both if old.tuning(old.cameras[name]) != new.tuning(new.cameras[name])}


def need_restart(section: str, old: SettingsPart, new: SettingsPart) -> list[str]:
    """Return the settings of a section that differ and are read at the start alone, by their paths."""
    live = LIVE if section == "produce" else ()
    fields = (field for field in type(old).model_fields if field not in live)
    return [f"{section}.{field}" for field in fields if getattr(old, field) != getattr(new, field)]


def take_over(
    old: ProduceSettings, new: ProduceSettings, known_variables: Collection[str]
) -> tuple[ProduceSettings, list[str]]:
    """Return the settings that hold from now on, and the paths of those that wait for a restart.

    Every camera's process inherits the environment but for the variables that held a password at the start: a camera
    with another one waits, too. Raises SettingError where the new ones do not go with those that wait.
    """
    waits = need_restart("produce", old, new)
    cameras = dict(new.cameras)
    for name, one in new.cameras.items():
        if one.password_env is not None and one.password_env not in known_variables:
            waits.append(f"produce.cameras.{name}.password_env")
            del cameras[name]
            if name in old.cameras:
                cameras[name] = old.cameras[name]
    fields = {field: getattr(new if field in LIVE else old, field) for field in ProduceSettings.model_fields}
    try:
        return ProduceSettings(**{**fields, "cameras": cameras}), waits
    except ValidationError as invalid:
        said = invalid.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
        raise SettingError(f"produce: {said} (until a restart {', '.join(waits)} is as it was)") from None


def _opening(camera: CameraSettings) -> dict[str, object]:
    return {field: getattr(camera, field) for field in CameraSettings.model_fields if field not in TUNED}
