"""Java reads JSON by header, with times to the nanosecond; Kafka Streams counts by the time of capture."""

from collections import Counter

import pytest

from conftest import Wait
from example_commands import Shell, command
from example_topics import NS, Filled, look, publish, put
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, Gap, GapReason, encode, encode_json, rfc3339
from groundcam_schemas.headers import packed

pytestmark = pytest.mark.broker

MINUTE = 60 * NS
WATCH = command("Watch.java")
PER_MINUTE = command("PerMinute.java")
GAP = Gap(camera_id="gate", run_id="run-1", reason=GapReason.STALE, first_seq=11, last_seq=12)


def instant(at_ns: int) -> str:
    """As Java prints an Instant: without groups of zeros at its end."""
    text = rfc3339(at_ns).removesuffix("Z")
    while text.endswith("000"):
        text = text.removesuffix("000")
    return text.removesuffix(".") + "Z"


def line(one: Detections | Gap) -> str:
    if isinstance(one, Gap):
        span = f"frames {one.first_seq} to {one.last_seq}"
        if one.from_ns is not None and one.to_ns is not None:
            span = f"{instant(one.from_ns)} to {instant(one.to_ns)}"
        return f"{one.camera_id} not looked at: {span}, {one.reason.value}"
    return f"{one.camera_id} {instant(one.captured_at_ns)}: [{', '.join(thing.label for thing in one.objects)}]"


def test_what_is_chosen_by_its_header_is_what_groundcam_reads(in_json: Filled, java: Shell) -> None:
    """And what was written before that was JSON is passed over, and said once."""
    chosen = [a for a in in_json.in_json if isinstance(a, Gap) or "forklift" in {thing.label for thing in a.objects}]
    done = java.run(WATCH, in_json.kafka)
    assert (done.returncode, sorted(done.stdout.splitlines())) == (0, sorted(map(line, chosen))), done.stderr
    assert done.stderr.count("not read: msgpack") == 1


def test_what_is_not_wanted_is_not_decoded_and_another_major_version_is_told(kafka: KafkaSettings, java: Shell) -> None:
    wanted = look(1, 1.000_000_5, "forklift", "person")
    put(
        kafka,
        kafka.topics.detections,
        packed(wanted, as_json=False),
        packed(wanted, as_json=True),
        (encode(wanted), ()),
        (encode_json(GAP), ()),
        (b"{broken", (("schema", b"detections/1.2"), ("label", b"person"), ("label", b"dog"))),
        (b"{broken", (("schema", b"detections/2.0"), ("label", b"forklift"))),
    )
    done = java.run(WATCH, kafka)
    assert (done.returncode, done.stdout.splitlines()) == (0, [line(wanted), line(GAP)]), done.stderr
    assert "not read: detections/2.0" in done.stderr


def test_without_all_what_comes_from_now_on_is_told(kafka: KafkaSettings, java: Shell, wait: Wait) -> None:
    earlier, later = look(1, 1, "forklift"), look(2, 2, "forklift")
    publish(kafka, earlier, as_json=True)

    def is_told() -> bool:
        """From when on it listens, only its answer shows."""
        publish(kafka, later, as_json=True)
        return "\n" in printed.read_text()

    with java.beside(WATCH.replace(" --all", ""), kafka) as printed:
        wait(is_told, 60, "an answer")
    assert set(printed.read_text().splitlines()) == {line(later)}


def counts(printed: str) -> dict[tuple[str, str], int]:
    """What the newest line says of each minute and label."""
    whole = printed[: printed.rfind("\n") + 1]
    rows = [one.rsplit(": ", 1) for one in whole.splitlines()]
    return {(key[:20], key[21:]): int(count) for key, count in rows}


def test_objects_are_counted_by_label_in_the_minute_of_their_capture(
    kafka: KafkaSettings, java: Shell, wait: Wait
) -> None:
    """Also those that come late, and neither gaps nor frames in which nothing was found, nor what is no JSON."""
    looks = [
        look(seq, at_s, *labels)
        for seq, (at_s, labels) in enumerate(
            [(0, ["forklift"]), (39, ["person"] * 2), (40, ["person"]), (41, []), (200, ["forklift"]), (30, ["person"])]
        )
    ]
    publish(kafka, looks[0], as_json=True)
    publish(kafka, look(9, 39, "person", "forklift"), GAP, as_json=False)
    publish(kafka, *looks[1:3], GAP, *looks[3:], as_json=True)
    expected = Counter(
        (rfc3339(one.captured_at_ns // MINUTE * MINUTE)[:19] + "Z", thing.label)
        for one in looks
        for thing in one.objects
    )
    assert len(expected) == 4
    with java.beside(PER_MINUTE, kafka) as printed:
        wait(lambda: counts(printed.read_text()) == expected, 60, f"these counts: {expected}")
