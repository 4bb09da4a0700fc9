"""Several producers share the cameras of one file, and say how they stand."""

import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from conftest import Program, Start, Wait
from footage import video
from groundcam.devkafka.broker import free_port
from groundcam_producers.placement import in_shard, place
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Frame, decode

pytestmark = pytest.mark.broker

CAMERAS = [f"cam{number}" for number in range(5)]


def config(folder: Path) -> Path:
    path = folder / "cameras.yaml"
    cameras = {name: {"url": str(video("bikes.mp4")), "loop": True} for name in CAMERAS}
    path.write_text(yaml.safe_dump({"produce": {"cameras": cameras, "fps": 2}}, sort_keys=False))
    return path


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return str(answer.read().decode())


def test_each_camera_is_played_by_the_producer_of_its_shard_on_the_partition_that_all_agree_on(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path
) -> None:
    path, ports = config(tmp_path), (free_port(), free_port())
    producers: list[Program] = [
        start(kafka, "produce", "--config", path, "--shard", f"{number}/2", "--http-port", ports[number])
        for number in range(2)
    ]
    seen: dict[str, int] = {}
    with Reader(kafka, [kafka.topics.frames], start="beginning") as reader:

        def all_there() -> bool:
            for record in reader.poll(0.2):
                seen[decode(Frame, record.value or b"").camera_id] = record.partition.number
            return set(seen) == set(CAMERAS)

        wait(all_there, 90, "frames of all cameras")
    assert seen == place(CAMERAS, 4)
    for number in range(2):
        status = yaml.safe_load(get(ports[number], "/status"))
        mine = {name for name in CAMERAS if in_shard(name, number, 2)}
        assert set(status["cameras"]) == mine
        assert {one["state"] for one in status["cameras"].values()} == {"online"}
        assert f"groundcam_cameras {len(mine)}.0" in get(ports[number], "/metrics")
    assert [one.stop() for one in producers] == [0, 0]


def test_a_shard_without_cameras_waits_and_is_well(
    kafka: KafkaSettings, start: Start, wait: Wait, tmp_path: Path
) -> None:
    """A StatefulSet with more pods than cameras would start it again and again."""
    empty = next(number for number in range(50) if not any(in_shard(name, number, 50) for name in CAMERAS))
    port = free_port()
    producer = start(
        kafka, "produce", "--config", config(tmp_path), "--shard", f"{empty}/50", "--http-port", port
    )  # fmt: skip
    wait(lambda: "0 of 5 cameras" in producer.log, 30, "the log")

    def is_ready() -> bool:
        with suppress(urllib.error.URLError):  # it does not listen yet
            return get(port, "/readyz") == "ok\n"
        return False

    wait(is_ready, 30, "readiness")
    assert get(port, "/startupz") == "ok\n"
    assert producer.stop() == 0
