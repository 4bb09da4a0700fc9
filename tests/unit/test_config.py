"""`groundcam config`: what is in force and why, what is wrong and where, and an example that is never out of date."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from groundcam.command_line import app
from groundcam.config.example import example
from groundcam.config.names import every_name
from groundcam.settings import Settings, load
from groundcam_runtime.settings import SettingError

Config = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Config:
    """Run `groundcam config ...` on a file c.yaml with this text; return the exit code and the lines."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, *arguments: str) -> tuple[int, list[str]]:
        Path("c.yaml").write_text(text)
        code = app(["config", *arguments], standalone_mode=False)
        return code or 0, capsys.readouterr().out.splitlines()

    return run


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "work:\n  batchsize: 4",
            "c.yaml:2:3: work.batchsize: there is no such setting; did you mean work.batch_size?",
        ),
        ("wrok: {}", "c.yaml:1:1: wrok: there is no such setting; did you mean work?"),
        ("kafka: {fps: 4}", "c.yaml:1:9: kafka.fps: there is no such setting; did you mean produce.fps?"),
        ("work: {zzz: 4}", "c.yaml:1:8: work.zzz: there is no such setting"),
        (
            "produce:\n  cameras:\n    gate: {url: a.mp4, fpz: 1}",
            "c.yaml:3:24: produce.cameras.gate.fpz: there is no such setting; did you mean produce.cameras.gate.fps?",
        ),
        ("produce: {cameras: {gate: {fps: 1}}}", "c.yaml:1:21: produce.cameras.gate.url: Field required"),
        (
            "produce:\n  cameras: {5: ''}",
            "c.yaml:2:16: produce.cameras.5: url: it is empty; it names an RTSP address, a file or a folder",
        ),
        (
            "produce:\n  cameras:\n    on:\n      url: a.mp4\n      fps: -1",
            "c.yaml:5:12: produce.cameras.on.fps: Input should be greater than 0",
        ),
        ("5: {}", "c.yaml:1:1: 5: there is no such setting"),
        ("work: 5", "c.yaml:1:1: work: it is no map of settings"),
        ("[]", "c.yaml:1:1: it is no YAML map of settings"),
        (
            "work:\n  fps: 1\n\tmodel: tiny",
            r"c.yaml:3:1: it is no YAML: found character '\t' that cannot start any token",
        ),
        ("work: {model: *hunter2222}", "c.yaml:1:15: it is no YAML: found undefined alias"),
        ("work: {model: !hunter2222 x}", "c.yaml:1:15: it is no YAML: could not determine a constructor for the tag"),
        ("work: {model: 2024-13-45}", "c.yaml:1:15: it is no YAML: it looks like a date or a number, and is none"),
        ("work:\n  model: a\0b", "c.yaml:2:11: it is no YAML: special characters are not allowed"),
        ("[" * 2000, "c.yaml: it is no YAML map of settings: it is nested too deep"),
        (
            "work:\n  session_timeout_s: 20\n  drain_timeout_s: 40",
            "c.yaml:3:20: work: drain_timeout_s (40) must be smaller than session_timeout_s (20)",
        ),
        (
            "work: &w {batch_size: 4}\nproduce:\n  <<: *w\n",
            "c.yaml:1:11: produce.batch_size: there is no such setting; did you mean work.batch_size?",
        ),
    ],
)
def test_a_fault_is_one_sentence_with_its_line_and_column(config: Config, text: str, sentence: str) -> None:
    assert config(text, "check", "c.yaml") == (1, [sentence])


def test_every_fault_of_a_file_is_said_and_a_command_says_the_first(config: Config) -> None:
    text = "work:\n  batch_size: 0\n  batch_size: -1\n  decode_threads: x\nkafka:\n  bootstrap_servers: here\n"
    code, lines = config(text, "check", "c.yaml")
    assert code == 1
    assert [line.split(" ")[0] for line in lines] == ["c.yaml:3:3:", "c.yaml:6:22:", "c.yaml:3:15:", "c.yaml:4:19:"]
    with pytest.raises(SettingError, match=r"^c\.yaml:3:3: 'batch_size' is given twice, in lines 2 and 3$"):
        load(Path("c.yaml"), {})


def test_a_name_is_a_text_whatever_yaml_takes_it_for(config: Config) -> None:
    """A camera may be called `on`, `007` or `null`."""
    names = ("on", "007", "null", "1_0", "2026-11-27", "1.5")
    text = f"produce: {{cameras: {{{', '.join(f'{name}: film.mp4' for name in names)}}}}}"
    _, lines = config(text, "show", "--config", "c.yaml", "--json")
    shown = {one["setting"] for one in map(json.loads, lines)}
    assert {f"produce.cameras.{name}.url" for name in names} == {one for one in shown if one.endswith(".url")}


def test_a_file_that_is_right_is_said_to_be(config: Config) -> None:
    assert config("work: {model: base}\nkafka:", "check", "c.yaml") == (0, ["c.yaml is right: 1 setting"])
    assert config("", "check", "c.yaml") == (0, ["c.yaml is right: 0 settings"])


def test_a_file_may_leave_a_part_to_variables(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "kafka: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: me}"
    assert config(text, "check", "c.yaml")[0] == 1
    monkeypatch.setenv("GROUNDCAM_KAFKA__SASL_PASSWORD", "hunter2222")
    monkeypatch.setenv("GROUNDCAM_KAFKA__SASL_MECHANISM", "PLAIN")
    assert config(text.replace("sasl_mechanism: PLAIN, ", ""), "check", "c.yaml")[0] == 1
    assert config(text, "check", "c.yaml", "--variables")[0] == 0
    assert config(text, "show", "--config", "c.yaml")[0] == 0


def test_the_example_names_every_setting_and_is_right(config: Config) -> None:
    _, lines = config("", "example")
    content = yaml.safe_load("\n".join(lines))
    for path in every_name(Settings):
        part = content
        for name in path:
            part = next(iter(part.values())) if name == "ID" else part[name]
    assert config("\n".join(lines), "check", "c.yaml")[0] == 0


def test_the_example_changes_nothing_but_its_cameras_and_questions(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("\n".join(example(Settings)))
    found, default = load(tmp_path / "c.yaml", {}).model_dump(), load(None, {}).model_dump()
    found["produce"]["cameras"] = {}
    found["notify"]["hooks"] = {}
    assert list(found["track"]["by_label"]) == ["car"]
    found["track"]["by_label"] = {}
    found["work"]["question"] = ()
    assert found == default


def test_every_setting_is_explained_in_the_example() -> None:
    lines = list(example(Settings))
    settings = [
        number for number, line in enumerate(lines) if line.startswith("  ") and not line.lstrip().startswith("#")
    ]
    keys = {"gate:", "car:"}
    assert all(lines[number - 1].lstrip().startswith("# ") for number in settings if lines[number].strip() not in keys)
    assert "  # The most frames in one batch. At least 1, at most 256." in lines


def test_each_value_is_shown_with_its_source(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDCAM_WORK__BATCH_SIZE", "3")
    text = "kafka:\n  topic_prefix: site.\nwork: {batch_size: 5}\nlog: {level: error}\nproduce: {cameras: {gate: a.mp4}, shard: 0/2}"
    _, lines = config(text, "show", "--config", "c.yaml", "--log-level", "debug", "--json")
    found = {one["setting"]: (one["value"], one["source"]) for one in map(json.loads, lines)}
    assert found["kafka.topic_prefix"] == ("site.", "c.yaml:2")
    assert found["work.batch_size"] == (3, "GROUNDCAM_WORK__BATCH_SIZE")
    assert found["log.level"] == ("debug", "option")
    assert found["work.group"] == ("site-worker", "default")
    assert found["produce.cameras.gate.url"] == ("a.mp4", "c.yaml:5")
    assert found["produce.cameras.gate.loop"] == (None, "default")
    assert found["produce.shard"] == ("0/2", "c.yaml:5")
    assert found["produce.max_size"] == ("960x544", "default")
    _, table = config(text, "show", "--config", "c.yaml")
    assert [line.split() for line in table[:2]] == [
        ["SETTING", "VALUE", "SOURCE"],
        ["kafka.bootstrap_servers", "localhost:9092", "default"],
    ]


def test_no_secret_is_shown(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDCAM_KAFKA__SASL_PASSWORD", "hunter2222")
    text = """
kafka:
  security_protocol: SASL_SSL
  sasl_mechanism: PLAIN
  sasl_username: me
  sasl_password_file: hunter3333
  oauth_token_url: https://me:hunter4444@h/x
produce:
  cameras:
    gate: rtsp://u:hunter5555@h/x?key=hunter6666
    yard: {url: rtsp://u@h/x, password_env: hunter7777}
    pier: {url: rtsp://u@h/x, password_file: hunter8888}
"""
    for form in ((), ("--json",)):
        code, lines = config(text, "show", "--config", "c.yaml", *form)
        assert code == 0
        assert not [line for line in lines if "hunter" in line]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GROUNDCAM_WORK_BATCH_SIZE", "GROUNDCAM_WORK__BATCH_SIZE"),
        ("GROUNDCAM_WORK__BATCHSIZE", "GROUNDCAM_WORK__BATCH_SIZE"),
        ("GROUNDCAM_WORKER__BATCH_SIZE", "GROUNDCAM_WORK__BATCH_SIZE"),
        ("GROUNDCAM_PRODUCE__CAMERAS__GATE__FPZ", "GROUNDCAM_PRODUCE__CAMERAS__GATE__FPS"),
    ],
)
def test_a_misspelt_variable_says_which_was_meant(name: str, meant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDCAM_PRODUCE__CAMERAS__GATE__URL", "a.mp4")
    monkeypatch.setenv(name, "3")
    with pytest.raises(SettingError, match=f"^{name}: .*there is no such setting; did you mean {meant}\\?$"):
        load(None, {})


def test_a_wrong_variable_is_named_with_its_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDCAM_WORK__BATCH_SIZE", "many")
    with pytest.raises(SettingError, match=r"^GROUNDCAM_WORK__BATCH_SIZE: work\.batch_size: Input should be"):
        load(None, {})
