"""The embedded broker, and a cluster of three nodes."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import Start, Wait, make_topics
from footage import preload
from groundcam.audit import audit, totals
from groundcam.devkafka.broker import BrokerError, EmbeddedBroker
from groundcam_runtime.settings import KafkaSettings

pytestmark = pytest.mark.broker


@pytest.mark.parametrize(
    "command", [("work", "--model", "fake", "--question", "a"), ("watch",), ("audit",), ("ask", "a")]
)
def test_a_missing_topic_is_one_sentence(cluster: str, start: Start, command: tuple[str, ...]) -> None:
    program = start(KafkaSettings(bootstrap_servers=cluster, topic_prefix="nosuch."), *command)
    assert program.process.wait(60) == 3
    assert "nosuch." in program.log
    assert "groundcam topics ensure" in program.log


def test_the_broker_command_serves_until_it_is_stopped(start: Start, wait: Wait) -> None:
    program = start(None, "broker", "--port", "0")
    wait(lambda: "answers on" in program.out, 60, "the broker")
    address = program.out.split("answers on ")[1].split(";")[0]
    assert start(None, "topics", "ensure", "--bootstrap-servers", address).process.wait(30) == 0
    java = [pid for pid in _javas() if address.split(":")[1] in _listening(pid)]
    assert java
    assert program.stop(signal.SIGINT) == 0
    assert not set(java) & set(_javas())


def test_a_killed_owner_leaves_neither_process_nor_folder(wait: Wait, tmp_path: Path) -> None:
    """SIGKILL gives nobody a chance to clean up: the guard does."""
    code = (
        "import sys, time\nfrom groundcam.devkafka.broker import EmbeddedBroker\n"
        "broker = EmbeddedBroker().start()\nprint(broker._folder, flush=True)\ntime.sleep(600)"
    )
    owner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    folder = owner.stdout.readline().strip()
    assert Path(folder).is_dir()
    owner.kill()
    owner.wait()
    owner.stdout.close()
    wait(lambda: not Path(folder).exists(), 30, "the folder's end")
    assert not [pid for pid in _javas() if folder in _command(pid)]


def test_a_broker_that_cannot_start_shows_the_end_of_its_log() -> None:
    with pytest.raises(BrokerError, match=r"NO\.SUCH\.LISTENER"):
        EmbeddedBroker(properties={"inter.broker.listener.name": "no.such.listener"}).__enter__()
    keystore = {"ssl.keystore.type": "PEM", "ssl.keystore.location": "/no/such/keystore.pem"}
    with pytest.raises(BrokerError, match=r"ended while it started(.|\n)*/no/such/keystore\.pem"):
        EmbeddedBroker(listeners={"TLS": "SSL"}, properties=keystore).__enter__()


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BrokerError, match=f"port {port} cannot be used"):
            EmbeddedBroker(port=port).__enter__()


def test_a_cluster_of_three_survives_the_loss_of_a_node(start: Start, wait: Wait) -> None:
    with EmbeddedBroker(nodes=3) as broker:
        kafka = make_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers))
        preload(kafka, cameras=8, frames=100)
        worker = start(kafka, "work", "--model", "fake:5ms", "--question", "person", "--max-age-s", "0")
        wait(lambda: totals(audit(kafka)).detected > 100, 60, "first answers")
        broker.kill_node(1)
        wait(lambda: totals(audit(kafka)).detected == 800, 120, "all answers")
        assert worker.stop() == 0
        total = totals(audit(kafka))
        assert (total.missing, total.conflicting_ids) == (0, 0)


def _javas() -> list[int]:
    done = subprocess.run(["pgrep", "-f", r"kafka\.Kafka"], capture_output=True, text=True, check=False)
    return [int(line) for line in done.stdout.split() if "java" in _command(int(line)).partition(" ")[0]]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def _listening(pid: int) -> str:
    properties = _command(pid).split()[-1]
    return Path(properties).read_text() if Path(properties).exists() else ""
