"""All settings of all processes: a YAML file, then environment variables, then the command line, weak to strong."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError

from groundcam.config.faults import merged, sentences
from groundcam.config.file import read_config
from groundcam.config.layers import BETWEEN, PREFIX, FileLayer, Layer, VariablesLayer, options_layer, unknown_variables
from groundcam_events.notify.settings import NotifySettings
from groundcam_events.settings import TrackSettings
from groundcam_producers.settings import ProduceSettings
from groundcam_runtime.settings import HttpSettings, KafkaSettings, LogSettings, SettingError, TraceSettings
from groundcam_serve.settings import ServeSettings
from groundcam_worker.settings import WorkSettings, fake_seconds


class Settings(BaseSettings):
    """The whole file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter=BETWEEN, extra="forbid", frozen=True, enable_decoding=False
    )

    kafka: KafkaSettings = KafkaSettings()
    log: LogSettings = LogSettings()
    http: HttpSettings = HttpSettings()
    trace: TraceSettings = TraceSettings()
    produce: ProduceSettings = ProduceSettings()
    work: WorkSettings = WorkSettings()
    serve: ServeSettings = ServeSettings()
    track: TrackSettings = TrackSettings()
    notify: NotifySettings = NotifySettings()


def load(config: Path | None, options: Mapping[str, Any], variables: Sequence[Layer] | None = None) -> Settings:
    """Return the settings. `options` maps dotted paths (`kafka.topic_prefix`) to what the command line gave.

    None means that it gave nothing. `variables` are those of the environment if they were read before. Raises
    SettingError, with one sentence that names what is wrong.
    """
    given = variable_layers() if variables is None else variables
    return in_force([*file_layers(config), *given, options_layer(options)])


def file_layers(config: Path | None) -> list[Layer]:
    """Return what a file gives, if there is one. Raises SettingError."""
    if config is None:
        return []
    if not config.is_file():
        raise SettingError(
            f"--config: {config} is no file" if config.exists() else f"--config: there is no file {config}"
        )
    return [FileLayer(read_config(config))]


def variable_layers() -> list[Layer]:
    """Return what the environment gives. Raises SettingError for a variable that names no setting."""
    if unknown := unknown_variables(Settings):
        raise SettingError(unknown[0])
    try:
        return [VariablesLayer(EnvSettingsSource(Settings)())]
    except SettingsError as error:
        raise SettingError(f"the environment's {PREFIX} variables cannot be read ({type(error).__name__})") from None


def in_force(layers: Sequence[Layer]) -> Settings:
    """Return what the layers make together. Raises SettingError with the first thing that is wrong."""
    settings, faults = examine(layers)
    if settings is None:
        raise SettingError(faults[0])
    return settings


def examine(layers: Sequence[Layer]) -> tuple[Settings | None, list[str]]:
    """Return what the layers make together, or None and a sentence for each thing that is wrong."""
    whole, faults = merged(layers)
    try:
        settings = _Given(**whole)
    except ValidationError as invalid:
        faults += sentences(Settings, invalid, layers)
    return (None, faults) if faults else (_with_groups(settings), [])


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


def _with_groups(settings: Settings) -> Settings:
    """Name the workers', the trackers' and the notifiers' group after their topics: two installations share none.

    Nor may a dry run share it with real workers: of their frames, it would answer some with invented boxes.
    """
    name = settings.kafka.topic_prefix.removesuffix(".") or "groundcam"
    changed: dict[str, Any] = {}
    if not settings.work.group:
        group = f"{name}-worker{'' if fake_seconds(settings.work.model) is None else '.fake'}"
        changed["work"] = settings.work.model_copy(update={"group": group})
    if not settings.track.group:
        changed["track"] = settings.track.model_copy(update={"group": f"{name}-tracker"})
    if not settings.notify.group:
        changed["notify"] = settings.notify.model_copy(update={"group": f"{name}-notifier"})
    return settings.model_copy(update=changed) if changed else settings
