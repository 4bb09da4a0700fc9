"""What the documents say of settings, metrics and commands is what there is."""

import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from groundcam.settings import Settings
from groundcam_events.health import TrackerHealth
from groundcam_events.metrics import TrackerMetrics
from groundcam_events.notify.metrics import NotifyMetrics
from groundcam_events.notify.policy.answers import Failure
from groundcam_events.notify.settings import HookSettings
from groundcam_events.settings import TrackSettings
from groundcam_producers.metrics import ProducerMetrics
from groundcam_producers.settings import CameraSettings
from groundcam_runtime.records import Partition
from groundcam_runtime.topic_contents import contents
from groundcam_runtime.topic_specs import MIB, wanted
from groundcam_schemas import GapReason, Topics
from groundcam_serve.metrics import FIGURES, ServeMetrics
from groundcam_worker.metrics import WorkerMetrics
from groundcam_worker.snapshot import GpuReading, WorkerSnapshot
from walks import Walker, film, followed, standing

ROOT = Path(__file__).parents[2]
CHANGES = sorted((ROOT / "docs" / "changes").glob("*.patch"))
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
METRICS = (ROOT / "docs" / "metrics.md").read_text()
SUBSCRIBING = (ROOT / "docs" / "subscribing.md").read_text()
DOCUMENTS = sorted(
    str(path.relative_to(ROOT))
    for folder in (".", "docs", "examples", "benchmarks", "helm/groundcam")
    for path in (ROOT / folder).glob("*.md")
)
BY_SENTENCE = ["README.md", *(name for name in DOCUMENTS if name.startswith("docs/"))]
SUFFIXES = {"counter": "_total", "info": "_info"}
FRAMES = Partition("groundcam.frames", 0)
STATE = WorkerSnapshot(lag={FRAMES: 1}, finished={FRAMES: 2})


def settings() -> set[str]:
    paths = {
        f"{section}.{name}"
        for section, field in Settings.model_fields.items()
        for name in getattr(field.annotation, "model_fields", {})
    }
    paths |= {f"notify.hooks.ID.{name}" for name in HookSettings.model_fields}
    return paths | {f"produce.cameras.ID.{name}" for name in CameraSettings.model_fields}


def test_every_setting_stands_on_its_page_and_no_other() -> None:
    assert set(re.findall(r"^\| `(?!groundcam\.)([a-zA-Z_.]+\.[a-zA-Z_.]+)` \|", SETTINGS, re.MULTILINE)) == settings()


def test_every_metric_stands_on_its_page_with_its_type_and_labels_and_no_other() -> None:
    worker, producer, serve = WorkerMetrics("1"), ProducerMetrics("1"), ServeMetrics("1")
    serve.watch(lambda: dict.fromkeys(FIGURES, 0.0))
    serve.request("/v1/detect", 200, 0.1)
    serve.refused("overloaded")
    serve.login("ok")
    worker.watch(lambda: STATE, lambda: [GpuReading("0", 0.0, 0, 1)])
    worker.consumed("gate", 1)
    worker.asked("gate", "1", ("person",))
    worker.answered("gate", (), 0.0)
    worker.clock("gate", 0.0)
    worker.dropped("gate", GapReason.STALE)
    producer.cameras(["gate"])
    producer.frame("gate", 1)
    producer.dropped("gate", GapReason.STALE, 1)
    notify = NotifyMetrics("1")
    notify.hooks(iter(["phone"]))
    notify.failed("phone", Failure.TIMEOUT)
    notify.undelivered("phone", "gave_up")
    notify.watch(lambda: {"phone": 1}, lambda: 1)
    tracker = TrackerMetrics("1")
    driver = SimpleNamespace(partitions={0: SimpleNamespace(cameras={"gate": SimpleNamespace(open=1)})}, behind={0: 1})
    source = SimpleNamespace(heard_at=0.0, silence_s=0.0)
    tracker.watch(TrackerHealth(TrackSettings(), driver, source, None).readings)  # type: ignore[arg-type]
    tracker.took("gate", 1, 1)
    (event, *_), _camera = followed(film([Walker("person", standing(300, 400))], seconds=2, fps=5))
    tracker.told(event)
    told = {}
    for family in (one for some in (worker, producer, serve, tracker, notify) for one in some.registry.collect()):
        kind = {"info": "gauge"}.get(family.type, family.type)
        labels = {name for sample in family.samples for name in sample.labels} - {"le"}
        name = family.name + SUFFIXES.get(family.type, "")
        if name.startswith("groundcam_"):
            told[name] = kind, labels
    rows = re.findall(r"^\| `(groundcam_[a-z_]+)` \| (\w+) \| [^|]* \|([^|]*)\|", METRICS, re.MULTILINE)
    assert {name: (kind, set(labels.replace(",", " ").split())) for name, kind, labels in rows} == told


def test_every_topic_stands_on_its_page_with_its_messages_key_and_time_and_no_other() -> None:
    rows = re.findall(
        r"^\|(?: `(groundcam\.[\w-]+)`)? \|([^|\n]*)\|([^|\n]*)\|([^|\n]*)\|[^|\n]*\|$", SUBSCRIBING, re.MULTILINE
    )
    told: dict[str, tuple[list[str], str, str]] = {}
    for topic, message, key, kept in rows:
        if topic:
            told[topic] = [], key.strip(), kept.strip()
        list(told.values())[-1][0].extend(message.split())
    held = contents(Topics())
    others = {name: ["JPEG"] if one.other.startswith("image/") else [] for name, one in held.items()}
    assert told == {
        spec.name: (
            [kind.__name__ for kind in held[spec.name].holds] or others[spec.name],
            held[spec.name].key,
            spec.kept,
        )
        for spec in wanted(Topics(), None, 4 * MIB)
    }


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_and_paths_in_documents_exist(name: str) -> None:
    text = (ROOT / name).read_text()
    links = [link.partition("#") for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    for path, _, anchor in links:
        target = (ROOT / name).parent / path if path else ROOT / name
        assert target.exists(), path
        assert not anchor or anchor in anchors(target.read_text()), f"{path}#{anchor}"
    paths = re.findall(r"`((?:tests|benchmarks|worker|runtime|producers|schemas)/[\w./-]+)`", text)
    paths += [
        f"tests/{path}"
        for path in re.findall(r"`((?:unit|broker|properties|detector|faults|operations)/\w+\.py)`", text)
    ]
    made = {name for patch in CHANGES for name in re.findall(r"^\+\+\+ b/(.+)$", patch.read_text(), re.MULTILINE)}
    for path in paths:
        assert (ROOT / path).exists() or path in made, path


def anchors(text: str) -> set[str]:
    """What a link to a section of this page may say, as GitHub makes it of the headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_architecture_fits_on_its_page() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 150


def test_the_readme_fits_on_its_page() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("name", BY_SENTENCE)
def test_a_line_holds_one_sentence(name: str) -> None:
    """So a change shows the sentence that it changes."""
    several = [line for line in prose((ROOT / name).read_text()) if SENTENCE_ENDS.search(bare(line))]
    assert not several, "\n".join(several)


SENTENCE_ENDS = re.compile(r"""(?<!\b[A-Z])(?<!Inc|e\.g|i\.e)[.!?]["')*_]* (?=["'(*_\[]*[A-Z0-9])""")


def prose(text: str) -> Iterator[str]:
    """Return the lines that are no table, no heading and no code."""
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if not fenced and not line.startswith(("    ", "|", "#", "```")):
            yield line


def bare(line: str) -> str:
    """Return a line without its number, a lead such as "**What to do.**", code and addresses; code stays a word."""
    line = re.sub(r"^\s*(?:[-*] |\d+\. )?(?:\*{1,2}[^*]+[.:]\*{1,2} )?", "", line)
    return re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`]*`", "X", line))
