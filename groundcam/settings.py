"""All settings of all processes: a YAML file, then environment variables, then the command line, weak to strong."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError
from yaml import YAMLError

from groundcam.config_file import DuplicateKeyError, line_of, read_config
from groundcam_producers.settings import ProduceSettings
from groundcam_runtime.redaction import redact
from groundcam_runtime.settings import HttpSettings, KafkaSettings, LogSettings, SettingError, TraceSettings
from groundcam_worker.settings import WorkSettings, fake_seconds

PREFIX = "GROUNDCAM_"
# Set for tests and for the programs themselves, not read as settings.
OTHER_VARIABLES = ("GROUNDCAM_TEST_",)
# Kubernetes sets these in every pod when a Service is called groundcam.
SERVICE_LINK = re.compile(r"_(SERVICE_(HOST|PORT)(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)$")


class Settings(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, enable_decoding=False
    )

    kafka: KafkaSettings = KafkaSettings()
    log: LogSettings = LogSettings()
    http: HttpSettings = HttpSettings()
    trace: TraceSettings = TraceSettings()
    produce: ProduceSettings = ProduceSettings()
    work: WorkSettings = WorkSettings()


def load(config: Path | None, options: Mapping[str, Any], variables: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings. `options` maps dotted paths (`kafka.topic_prefix`) to what the command line gave.

    None means that it gave nothing. `variables` are those of the environment if they were read before. Raises
    SettingError, with one sentence that names what is wrong.
    """
    if config is not None and not config.is_file():
        raise SettingError(f"--config: there is no file {config}")
    layers: list[Mapping[str, Any]] = []
    try:
        known = read_variables() if variables is None else variables
        layers += [read_config(config) if config else {}, known, _nested(options)]
        return _with_group(_Given(**_merged(layers)))
    except ValidationError as invalid:
        keys = invalid.errors(include_url=False, include_input=False)[0]["loc"]
        raise SettingError(_sentence(invalid) + _where(config, keys, layers)) from None
    except _NoMapError as section:
        raise SettingError(f"{section}: it is no map of settings" + _where(config, (str(section),), layers)) from None
    except DuplicateKeyError as twice:
        raise SettingError(f"--config: {config}: {twice}") from None
    except (SettingsError, YAMLError, TypeError, AttributeError, OSError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        at = f", line {mark.line + 1}" if mark else ""
        raise SettingError(f"--config: {config} is no YAML map of settings ({type(error).__name__}{at})") from None


def read_variables() -> Mapping[str, Any]:
    """Return what the environment's variables give, section by section. Raises SettingError, SettingsError."""
    _refuse_unknown_variables()
    return EnvSettingsSource(Settings)()


class _NoMapError(Exception):
    """A section is something else."""


class _Given(Settings):
    """Settings from what it is called with alone."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        *_others: PydanticBaseSettingsSource,
        **_more: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        _ = settings_cls
        return (init_settings,)


def _merged(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Lay one over the other, weak to strong. A camera is replaced whole: half of one would send it another's password.

    Raises _NoMapError.
    """
    whole: dict[str, Any] = {}
    for layer in layers:
        for section, given in layer.items():
            under = whole.setdefault(section, {})
            if not isinstance(given, Mapping | None):
                raise _NoMapError(section)
            for name, value in (given or {}).items():
                if name == "cameras" and isinstance(value, Mapping) and isinstance(under.get(name), Mapping):
                    under[name] = {**under[name], **value}
                else:
                    under[name] = value
    return whole


def _with_group(settings: Settings) -> Settings:
    """Name the workers' group after their topics: two installations on one Kafka must not share one.

    Nor may a dry run share it with real workers: of their frames, it would answer some with invented boxes.
    """
    if settings.work.group:
        return settings
    name = settings.kafka.topic_prefix.removesuffix(".") or "groundcam"
    group = f"{name}-worker{'' if fake_seconds(settings.work.model) is None else '.fake'}"
    return settings.model_copy(update={"work": settings.work.model_copy(update={"group": group})})


def _nested(options: Mapping[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for path, value in options.items():
        if value is None:
            continue
        *sections, name = path.split(".")
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value
    return tree


def _sentence(invalid: ValidationError) -> str:
    """The first thing that is wrong, by its path; never the value, which may be a secret."""
    first = invalid.errors(include_url=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    text = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        text = "there is no such setting"
    return redact(f"{path}: {text}" if path else text)


def _where(config: Path | None, keys: Iterable[object], layers: list[Mapping[str, Any]]) -> str:
    """Return where in the file a fault is, unless a variable or an option beats what is there."""
    keys = list(keys)
    if config is None or any(_has(layer, keys) for layer in layers[1:]):
        return ""
    line = line_of(config, keys)
    return f" (line {line} of {config})" if line else ""


def _has(layer: object, keys: Iterable[object]) -> bool:
    for key in keys:
        if not isinstance(layer, Mapping) or key not in layer:
            return False
        layer = layer[key]
    return True


def _refuse_unknown_variables() -> None:
    """pydantic-settings passes over what it does not know, so that a typing error would go unseen."""
    for name in os.environ:
        if not name.startswith(PREFIX) or name.startswith(OTHER_VARIABLES) or SERVICE_LINK.search(name):
            continue
        section, _, rest = name.removeprefix(PREFIX).lower().partition("__")
        field = Settings.model_fields.get(section)
        kind = field.annotation if field else None
        known = getattr(kind, "model_fields", {})
        if not known or (rest and rest.partition("__")[0] not in known):
            raise SettingError(f"{name}: there is no such setting")
