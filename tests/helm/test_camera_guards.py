"""A camera that the program would refuse ends the render: all producers read one file, and it would end them all."""

from typing import Any

import pytest

from groundcam_producers.settings import ProduceSettings
from helm import chart
from helm.chart import BASE, ChartError, objects, settings, the

GUARDS = [
    ("cameras.a.url holds a password", ["cameras.a.url=rtsp://viewer:hunter2@192.0.2.1/"]),
    ("url holds a password", ["cameras.a.url=rtsp://viewer:hun/ter2@192.0.2.1/"]),
    ("no user name in url", ["cameras.a={url: 'rtsp://192.0.2.1/', existingSecret: s}"]),
    ("cameras.a.url: its scheme cannot be opened", ["cameras.a.url=http://192.0.2.1/video"]),
    ("cameras.a.url: percent-encode", ["cameras.a.url=rtsp://view/er@192.0.2.1/"]),
    ("cameras.a.url: there is no host name in it, or no number as port", ["cameras.a.url=rtsp:///stream"]),
    ("cameras.a.loop: a live camera has no end", ["cameras.a={url: 'rtsp://192.0.2.1/', loop: true}"]),
    ("every_frame is for files", ["cameras.a.url=rtsp://192.0.2.1/", "producers.settings.every_frame=true"]),
    ("are of use for rtsps:// only", ["cameras.a={url: 'rtsp://192.0.2.1/', tls_verify: false}"]),
    ("producers.settings.hang_s (40) must be more than twice", ["producers.settings.timeout_s=20"]),
    ("cameras.a.url has a host name", ["cameras.a.url=rtsp://camera.example.org/"]),
    ("cameras.a.resources is for", ["producers.mode=sharded", "cameras.a={url: /f.mp4, resources: {limits: {cpu: 1}}}"]),
    ("producers.replicas (2) is more than there are cameras (1)", ["producers={mode: sharded, replicas: 2}", "cameras.a.url=/f"]),
    ("cameras.a.max_size is 10x10: width and height are from 16 to 16384", ["cameras.a={url: /f, max_size: 10x10}"]),
    ("producers.settings.max_size is 960x99999", ["producers.settings.max_size=960x99999"]),
    ("worker.settings.input_size is 10x10", ["worker.settings.input_size=10x10"]),
    ("cameras.a.aspect is 99999:1: from 1:8 to 8:1", ["cameras.a={url: /f, aspect: '99999:1'}"]),
    ("cameras.a.transport is of use for rtsp:// and rtsps:// only", ["cameras.a={url: /f, transport: udp}"]),
    ("cameras.a.name has a line end", ['cameras.a={url: /f, name: "Front\\ngate"}']),
    ("cameras.a.url has a line end", ['cameras.a.url="rtsp://viewer:hunter2@192.0.2.1/\\n"']),
    ("cameras.a.url: percent-encode what is special in its user, as [", ["cameras.a.url='rtsp://vie[wer@192.0.2.1/'"]),
    ("cameras.a.url: what stands in brackets is no IPv6 address", ["cameras.a.url='rtsp://[192.0.2.1]/'"]),
]  # fmt: skip


@pytest.mark.parametrize(("sentence", "changes"), GUARDS, ids=[sentence for sentence, _ in GUARDS])
def test_a_camera_that_cannot_be_is_told_in_a_sentence(sentence: str, changes: list[str]) -> None:
    with pytest.raises(ChartError) as told:
        objects(BASE, *changes)
    assert sentence in str(told.value)
    assert "execution error at (groundcam/templates/guards-cameras.yaml" in str(told.value)
    assert "hunter2" not in str(told.value)
    assert "hun/ter2" not in str(told.value)


def test_every_guard_of_cameras_is_tried() -> None:
    written = (chart.CHART / "templates" / "guards-cameras.yaml").read_text()
    assert written.count("{{- fail ") == len(GUARDS) - 3  # a password of two forms, a size of three settings


CAMERAS: list[dict[str, Any]] = [
    *({"url": url} for url in (
        "rtsp://192.0.2.1/", "RTSPS://viewer@192.0.2.1:322/a?b=c", "rtsp://[2001:db8::1]:554/", "rtsp://h/", "/films/a.mp4",
        "http://h/", "file:///films/a.mp4", "rtsp://", "rtsp://:554/", "rtsp://viewer@/", "rtsp://h:port/", "rtsp://h:65536/",
        "rtsp://h:0/", "rtsp://h:/", "rtsp://us?er@h/", "rtsp://us#er@h/", "rtsp://us/er@h/", "rtsp://h/one@two", "://h/", "srt://h:9/",
    )),
    *({"url": "rtsp://h/", **more} for more in ({"loop": True}, {"tls_verify": False}, {"tls_verify": True}, {"tls_ca_file": "/ca"})),
    *({"url": "rtsps://h/", **more} for more in ({"tls_verify": False}, {"tls_fingerprint": "ab" * 32}, {"tls_ca_file": "/ca"})),
    {"url": "/films/a.mp4", "tls_fingerprint": "ab:" * 31 + "ab"},
    {"url": "/films/a.mp4", "loop": True},
    *({"url": f"rtsp://{host}/"} for host in (
        "[::1]", "[::]", "[2001:db8::1]", "[::ffff:192.0.2.1]", "[1:2:3:4:5:6:7:8]", "[1::8]:554", "[192.0.2.1]", "[1:2]", "[1:::2]",
        "[1::2::3]", "[1:2:3:4:5:6:7:8:9]", "[1::2:3:4:5:6:7:8]", "[12345::1]", "[h]", "[]", "[::1", "::1]", "u[@h", "u[v]@h", "[::1][::1]", "\uff20h", "u\uff1ax@h", "h\u2100", "t\u00fcr",
    )),
    *({"url": "rtsp://h/", **more} for more in (
        {"max_size": "16x16"}, {"max_size": "10x10"}, {"max_size": "960x15"}, {"max_size": "01x99"}, {"max_size": "16384x16384"},
        {"max_size": "16385x544"}, {"max_size": "99999x99999"}, {"max_size": None}, {"aspect": "8:1"}, {"aspect": "1:8"},
        {"aspect": "16/9"}, {"aspect": "99999:1"}, {"aspect": "81:10"}, {"aspect": "10:81"}, {"aspect": "0:1"}, {"transport": "udp"},
        {"name": "Front gate"}, {"name": "Tür 2 \u200d\U0001f600"}, {"name": "a\nb"}, {"name": "a\n"}, {"name": "\u202ebidi"}, {"name": "\x85"},
        {"name": "x" * 101}, {"fps": 0}, {"fps": 240}, {"fps": 241}, {"rotate": 45}, {"tls_fingerprint": "ab"},
    )),
    *({"url": "/films/a.mp4", "transport": how} for how in ("tcp", "udp", "auto")),
]  # fmt: skip


@pytest.mark.parametrize("camera", CAMERAS, ids=str)
def test_a_camera_that_the_program_would_refuse_never_gets_to_the_pods_of_the_others(camera: dict[str, Any]) -> None:
    try:
        ProduceSettings.model_validate({"cameras": {"a": camera}})
    except ValueError:
        with pytest.raises(ChartError, match=r"cameras[./]a\b"):
            chart.objects(BASE, {"cameras": {"a": camera}, "networkPolicy": {"enabled": False}})
    else:
        chart.objects(BASE, {"cameras": {"a": camera}, "networkPolicy": {"enabled": False}})


@pytest.mark.parametrize("spelt", ["none", "null"])
def test_pictures_may_keep_their_size(spelt: str) -> None:
    """Null is the program's word. Some versions of Helm drop it, so there is another."""
    camera = {"cameras": {"a": {"url": "rtsp://192.0.2.1/", "max_size": None if spelt == "null" else spelt}}}
    for changes, place in (
        ([camera], ("cameras", "a")),
        ([f"producers.settings.max_size={spelt}", "cameras.a.url=/f"], ()),
    ):
        read = settings(the(objects(BASE, *changes), "ConfigMap", "-producers"))["produce"]
        for name in place:
            read = read[name]
        assert read["max_size"] is None
    both = objects(BASE, camera, "producers={settings: {max_size: 1280x720}, mode: sharded}")
    checked = ProduceSettings.model_validate(settings(the(both, "ConfigMap", "-producers"))["produce"])
    assert checked.tuning(checked.cameras["a"]).max_size is None


def test_a_url_that_helm_cannot_parse_never_shows_in_an_error() -> None:
    """Go's own error shows it with everything in it, before any guard is asked."""
    for url in (
        "rtsp://viewer@h:port%zz/",
        "rtsp://viewer@h:x/%zz",
        "rtsp://viewer:hunter2@h/%zz",
        "rtsp://viewer:hunter2@[::1/",
    ):
        with pytest.raises(ChartError, match=r"cameras\.a\.url") as told:
            objects(BASE, {"cameras": {"a": {"url": url}}})
        assert url not in str(told.value)
    assert objects(BASE, {"cameras": {"a": {"url": "rtsp://viewer@192.0.2.1/100%"}}}), "which the program takes"
