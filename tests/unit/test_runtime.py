"""Settings, logs, health and metrics."""

import io
import json
import logging
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from groundcam.settings import load
from groundcam_producers.metrics import ProducerMetrics
from groundcam_producers.settings import CameraSettings, ProduceSettings
from groundcam_runtime import logs
from groundcam_runtime.health import HealthServer, Probes
from groundcam_runtime.records import Partition
from groundcam_runtime.redaction import public_url, redact
from groundcam_runtime.settings import KafkaSettings, SettingError
from groundcam_schemas import CameraState, GapReason
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.snapshot import GpuReading, WorkerSnapshot

PROBES = Probes(lambda: None, lambda: None, lambda: None, dict)


def test_the_command_line_beats_variables_which_beat_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "groundcam.yaml"
    config.write_text("work: {batch_size: 2, batch_wait_s: 0.5, group: file}\nkafka: {topic_prefix: site.}\n")
    monkeypatch.setenv("GROUNDCAM_WORK__BATCH_SIZE", "3")
    monkeypatch.setenv("GROUNDCAM_WORK__BATCH_WAIT_S", "0.25")
    settings = load(config, {"work.batch_size": 4, "work.model": None})
    assert (settings.work.batch_size, settings.work.batch_wait_s, settings.work.group) == (4, 0.25, "file")
    assert settings.kafka.topics.frames == "site.frames"


def test_cameras_and_questions_stand_in_the_file(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(
        "produce:\n  fps: 2\n  max_size: 640x360\n  cameras:\n    gate: rtsp://u@h/x\n"
        "    yard: {url: clip.mp4, loop: true, fps: 1}\n"
        "work:\n  question:\n    '*': person, dog\n    gate: bicycle\n"
    )
    settings = load(config, {})
    assert list(settings.produce.cameras) == ["gate", "yard"]
    assert settings.produce.max_size == (640, 360)
    assert settings.work.question == ("*=person, dog", "gate=bicycle")


def test_questions_may_stand_in_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDCAM_WORK__QUESTION", "person, dog")
    assert load(None, {}).work.question == ("person, dog",)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("work: {batchsize: 2}", r"work\.batchsize: there is no such setting"),
        ("wrok: {}", "wrok: there is no such setting"),
        ("work: {batch_size: many}", r"work\.batch_size"),
        ("work: {drain_timeout_s: 40}", "drain_timeout_s"),
        ("work: {question: 'a, a'}", "'a' is listed twice"),
        ("kafka: {bootstrap_servers: nowhere}", r"kafka\.bootstrap_servers: 'nowhere' is not host:port"),
        ("kafka: {security_protocol: SASL_SSL}", "needs sasl_mechanism"),
        ("kafka: {sasl_mechanism: PLAIN}", "needs security_protocol"),
        ("kafka: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN}", "sasl_password_file"),
        ("kafka: {security_protocol: SASL_SSL, sasl_mechanism: OAUTHBEARER}", "oauth_token_file"),
        ("produce: {cameras: {gate: 'http://x/y'}}", r"produce\.cameras\.gate.*http://"),
        ("produce: {cameras: {'a b': x.mp4}}", r"produce\.cameras\.a b"),
        ("produce: {cameras: {gate: {url: x.mp4, password_env: P}}}", "password"),
        ("produce: {every_frame: true, cameras: {gate: 'rtsp://h/x'}}", "gate cannot be asked to wait"),
        ("produce: {max_size: big}", "'big' is not like 960x544"),
        ("produce: {hang_s: 5}", "hang_s"),
        ("produce: {cameras: {gate: 'rtsp://u:p[hunter22]w@h/x'}}", "cannot be read"),
        ("produce: {cameras: {gate: 'rtsp://u:pa/ss@h/x'}}", "percent-encode"),
        ("produce: {cameras: {gate: 'rtsp:///x'}}", "no host name"),
        ("[1]", r"c\.yaml:1:1: it is no YAML map of settings"),
        ("a: [", r"c\.yaml:1:5: it is no YAML: .*'<stream end>'"),
    ],
)
def test_a_bad_setting_gives_one_sentence_that_names_it(tmp_path: Path, text: str, names: str) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(text)
    with pytest.raises(SettingError, match=names) as refused:
        load(config, {})
    assert "\n" not in str(refused.value)
    assert "hunter22" not in str(refused.value)


def test_the_variables_of_a_kubernetes_service_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_HOST", "SERVICE_PORT_METRICS", "PORT", "PORT_9090_TCP", "PORT_9090_TCP_ADDR"):
        monkeypatch.setenv(f"GROUNDCAM_{name}", "tcp://10.0.0.1:9090")
    load(None, {})


@pytest.mark.parametrize(
    ("options", "group"),
    [
        ({}, "groundcam-worker"),
        ({"kafka.topic_prefix": "site-b."}, "site-b-worker"),
        ({"kafka.topic_prefix": ""}, "groundcam-worker"),
        ({"work.model": "fake"}, "groundcam-worker.fake"),
        ({"work.model": "fake:5ms", "kafka.topic_prefix": "site-b."}, "site-b-worker.fake"),
        ({"work.model": "fake", "work.group": "mine"}, "mine"),
        ({"kafka.topic_prefix": "site-b.", "work.group": "mine"}, "mine"),
    ],
)
def test_two_installations_on_one_kafka_do_not_share_a_group(options: dict[str, str], group: str) -> None:
    assert load(None, options).work.group == group


def test_a_config_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingError, match=r"c\.yaml"):
        load(tmp_path / "c.yaml", {})


def test_an_error_of_the_subscriber_shows_no_password() -> None:
    from groundcam import subscribe

    with pytest.raises(ValueError, match="sasl_mechanism") as refused:
        next(subscribe("k:9092", security_protocol="SASL_SSL", sasl_username="w", sasl_password="hunter2222"))
    assert "hunter2222" not in str(refused.value)


def test_a_port_that_is_taken_names_its_setting() -> None:
    with (
        HealthServer("127.0.0.1", 0, WorkerMetrics("1"), PROBES) as server,
        pytest.raises(SettingError, match=r"http\.port"),
    ):
        HealthServer("127.0.0.1", server.port, WorkerMetrics("1"), PROBES)


def test_an_unknown_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDCAM_WORK__BATCHSIZE", "3")
    with pytest.raises(SettingError, match="GROUNDCAM_WORK__BATCHSIZE"):
        load(None, {})


def test_a_bad_setting_never_shows_a_password(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("produce: {cameras: {gate: {url: 'ftp://u:hunter22@h/x', fps: -1}}}")
    with pytest.raises(SettingError) as refused:
        load(config, {})
    assert "hunter22" not in str(refused.value)
    assert "hunter22" not in repr(CameraSettings(url="rtsp://u:hunter22@h/x"))


def test_a_camera_password_comes_from_beside_its_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("p@ss/word%1\n")
    monkeypatch.setenv("GATE_PASSWORD", "other&word")
    by_file = CameraSettings(url="rtsp://viewer@10.0.0.5:554/stream?profile=1", password_file=tmp_path / "secret")
    by_variable = CameraSettings(url="rtsp://viewer@10.0.0.5/stream", password_env="GATE_PASSWORD")
    assert by_file.full_url() == "rtsp://viewer:p%40ss%2Fword%251@10.0.0.5:554/stream?profile=1"
    assert by_variable.full_url() == "rtsp://viewer:other%26word@10.0.0.5/stream"
    assert by_file.public_url == "rtsp://10.0.0.5:554/stream"
    assert "p@ss/word%1" not in redact("said p@ss/word%1 and p%40ss%2Fword%251")


def test_a_missing_password_names_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="password_file"):
        CameraSettings(url="rtsp://u@h/x", password_file=tmp_path / "none").full_url()
    with pytest.raises(SettingError, match="NO_SUCH_VARIABLE"):
        CameraSettings(url="rtsp://u@h/x", password_env="NO_SUCH_VARIABLE").full_url()
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingError, match="empty: it is empty"):
        CameraSettings(url="rtsp://u@h/x", password_file=tmp_path / "empty").full_url()
    with pytest.raises(SettingError, match="no user name"):
        (tmp_path / "p").write_text("x")
        CameraSettings(url="rtsp://h/x", password_file=tmp_path / "p").full_url()


def test_secrets_are_not_in_the_repr_of_settings() -> None:
    settings = KafkaSettings(
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="u",
        sasl_password="hunter2222",
    )
    assert "hunter2222" not in repr(settings)
    assert settings.password() == "hunter2222"
    assert "hunter2222" not in redact("hunter2222")


def test_a_file_is_known_by_its_name_only() -> None:
    assert CameraSettings(url="/srv/secret-customer/clip.mp4").public_url == "clip.mp4"
    assert public_url("rtsps://u:p@h:322/x?token=1") == "rtsps://h:322/x"


def chatter(filter_: logs.KafkaChatter, level: int, text: str, name: str = "kafka.net.manager") -> str | None:
    record = logging.LogRecord(name, level, "", 0, text, None, None)
    return record.getMessage() if filter_.filter(record) else None


def test_the_kafka_client_gets_one_line_a_minute() -> None:
    now = 0.0
    quiet = logs.KafkaChatter(lambda: now)
    assert chatter(quiet, logging.INFO, "connected") is None
    assert chatter(quiet, logging.ERROR, "Metadata refresh: failed Cancelled", "kafka.cluster") is None
    assert chatter(quiet, logging.ERROR, "lost\nTraceback") == "trouble with the broker: lost"
    for _ in range(5000):
        now += 0.01
        assert chatter(quiet, logging.WARNING, "again") is None
    now += 60
    assert chatter(quiet, logging.WARNING, "still") == (
        "trouble with the broker: still (5000 more lines like this were left out)"
    )
    assert chatter(quiet, logging.INFO, "hello", "groundcam_worker.run") == "hello"


def test_an_uncaught_error_is_logged_without_secrets() -> None:
    stream = io.StringIO()
    handlers, hook = logging.getLogger().handlers[:], __import__("sys").excepthook
    level = logging.getLogger().level
    try:
        logs.configure("json", "info", stream)
        error = RuntimeError("cannot open rtsp://u:hunter2222@h/x")
        __import__("sys").excepthook(RuntimeError, error, None)
    finally:
        logging.getLogger().handlers[:] = handlers
        logging.getLogger().setLevel(level)
        logging.captureWarnings(capture=False)
        __import__("sys").excepthook = hook
    line = json.loads(stream.getvalue())
    assert line["level"] == "critical"
    assert "hunter2222" not in stream.getvalue()


def get(port: int | None, path: str, accept: str = "") -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_metrics_and_health_are_served_on_one_port() -> None:
    metrics = WorkerMetrics("1.2.3")
    metrics.consumed("gate", 1000)
    metrics.answered("gate", ("person", "person"), 0.3)
    metrics.dropped("gate", GapReason.STALE)
    metrics.stage("detect", 0.01)
    metrics.batch(4)
    state = WorkerSnapshot(lag={Partition("groundcam.frames", 0): 7}, finished={Partition("groundcam.frames", 0): 12})
    metrics.watch(lambda: state, lambda: [GpuReading("0", 0.5, 10, 20)])
    ready: list[str] = ["the model is being loaded"]
    probes = replace(PROBES, ready=lambda: ready[0] if ready else None, report=lambda: {"url": "rtsp://u:s3cret99@h/"})
    with HealthServer("127.0.0.1", 0, metrics, probes) as server:
        assert get(server.port, "/healthz") == (200, "ok\n")
        assert get(server.port, "/readyz") == (503, "the model is being loaded\n")
        ready.clear()
        assert get(server.port, "/readyz?x=1")[0] == 200
        assert get(server.port, "/startupz") == (200, "ok\n")
        assert get(server.port, "/nothing")[0] == 404
        assert "s3cret99" not in get(server.port, "/status")[1]
        status, page = get(server.port, "/metrics")
        assert get(server.port, "/metrics", "application/openmetrics-text")[1].endswith("# EOF\n")
    assert status == 200
    for line in (
        'groundcam_frames_consumed_total{camera="gate"} 1.0',
        'groundcam_frames_answered_total{camera="gate"} 1.0',
        'groundcam_frames_dropped_total{camera="gate",reason="stale"} 1.0',
        'groundcam_stage_seconds_count{stage="detect"} 1.0',
        'groundcam_end_to_end_seconds_count{camera="gate"} 1.0',
        'groundcam_consumer_lag_frames{partition="0",topic="groundcam.frames"} 7.0',
        'groundcam_consumed_bytes_total{camera="gate"} 1000.0',
        'groundcam_finished_offset{partition="0",topic="groundcam.frames"} 12.0',
        'groundcam_gpu_memory_used_bytes{gpu="0"} 10.0',
        'groundcam_build_info{version="1.2.3"} 1.0',
    ):
        assert line in page


def test_a_producer_tells_whether_its_camera_is_up() -> None:
    metrics = ProducerMetrics("1")
    metrics.state("gate", CameraState.ONLINE)
    metrics.add("gate", "frames_published", 3)
    page = metrics.render("")[0].decode()
    assert 'groundcam_camera_up{camera="gate"} 1.0' in page
    assert 'groundcam_frames_published_total{camera="gate"} 3.0' in page
    metrics.state("gate", CameraState.STALLED)
    assert 'groundcam_camera_up{camera="gate"} 0.0' in metrics.render("")[0].decode()


def test_no_port_serves_nothing() -> None:
    with HealthServer("127.0.0.1", None, WorkerMetrics("1"), PROBES) as server:
        assert server.port is None


def test_a_size_is_read_or_refused() -> None:
    assert ProduceSettings(max_size="640X360").max_size == (640, 360)
