"""What the HTTP service adds to the detector's own time, and the bundled model behind it beside two other ways.

added latency   one request after the other, at rest, with a detector that only waits: the client's time less that wait
throughput      clients that ask as fast as they get answers, of the model in the box: `groundcam serve`, LitServe with
                its own batching, and transformers behind FastAPI with one picture a call; in turns, in one run

Clients, Kafka, worker and service are processes on one machine, and share its cores.

    make benchmark-serving [ARGS="--rounds 3 --seconds 15 --json FILE"]
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
from arguments import above_zero
from machine import machine, wait_for_quiet

from groundcam.demo.scene import SCENES
from groundcam.devkafka.broker import free_port
from groundcam_worker.checkpoints.catalogue import resolve

HERE = Path(__file__).parent
LIT = HERE.parent / ".rivals-serving"
SCENE = SCENES[0]
PICTURE = bytes(cv2.imencode(".jpg", cv2.cvtColor(SCENE.picture(2.0), cv2.COLOR_RGB2BGR))[1])
QUESTION = SCENE.question.replace(" ", "+")
WAIT_MS = 20.0
CLIENTS = 16
START_S, END_S = 120.0, 20.0
DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


BOUNDARY = "f7a0b1"
RAW = {"Content-Type": "image/jpeg"}, PICTURE
FORM = (
    {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"},
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="question"\r\n\r\n{SCENE.question}\r\n--{BOUNDARY}\r\n'
    'Content-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'.encode()
    + PICTURE
    + f"\r\n--{BOUNDARY}--\r\n".encode(),
)
"""As LitServe's own examples send pictures."""
Body = tuple[dict[str, str], bytes]


def ways(port: int) -> dict[str, tuple[list[str], str, Body]]:
    """Return the command, the address and the request's body of each way to serve the model."""
    model = str(resolve("demo").path)
    ours = [sys.executable, "-m", "groundcam", "serve", "--model", "demo", "--port", str(port), "--log-level", "error"]
    rivals = {
        name: [sys.executable, str(HERE / "rivals" / f"{name}.py"), str(port), model]
        for name in ("lit_way", "seed_way")
    }
    at = f"http://127.0.0.1:{port}"
    return {
        "groundcam serve": (ours, f"{at}/v1/detect?question={QUESTION}", RAW),
        "LitServe": (rivals["lit_way"], f"{at}/detect", FORM),
        "FastAPI, one picture a call": (rivals["seed_way"], f"{at}/detect?question={QUESTION}", RAW),
    }


@contextmanager
def running(command: list[str], address: str, body: Body = RAW) -> Iterator[None]:
    """Start a server, and return when it answers."""
    variables = os.environ | {"PYTHONPATH": str(LIT)}
    process = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + START_S
        while ask(address, body)[0] != 200:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{command} does not answer")
        yield
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_S)
        with suppress(ProcessLookupError):  # LitServe leaves its workers behind
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def ask(address: str, body: Body = RAW) -> tuple[int, float]:
    """Return status and seconds of a request."""
    began = time.monotonic()
    headers, data = body
    request = urllib.request.Request(address, data, headers)  # noqa: S310 - our own address
    try:
        with DIRECTLY.open(request, timeout=60) as answer:
            answer.read()
            status = int(answer.status)
    except urllib.error.HTTPError as error:
        status = error.code
    except OSError:
        status = 0
    return status, time.monotonic() - began


def throughput(address: str, body: Body, seconds: float) -> dict[str, float]:
    """Return requests a second and times, of clients that ask for so long."""
    took, failed, until = list[float](), list[int](), time.monotonic() + seconds

    def client() -> None:
        while time.monotonic() < until:
            status, each_s = ask(address, body)
            took.append(each_s) if status == 200 else failed.append(status)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    began = time.monotonic()
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    rate = len(took) / (time.monotonic() - began)
    return {"requests_per_s": round(rate, 1), **percentiles(took), "refused": len(failed)}


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Return median and 95th percentile in ms."""
    ordered = sorted(seconds)
    return {
        "p50_ms": round(1000 * statistics.median(ordered), 1),
        "p95_ms": round(1000 * ordered[int(0.95 * (len(ordered) - 1))], 1),
    }


def added_latency(requests: int) -> dict[str, float]:
    """Return what a request takes besides the detector's wait, one after the other."""
    port = free_port()
    command = [
        sys.executable, "-m", "groundcam", "serve", "--model", f"fake:{WAIT_MS:g}ms", "--port", str(port),
        "--log-level", "error",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}/v1/detect?question=person"
    with running(command, address):
        wait_for_quiet()
        answers = [ask(address) for _ in range(requests)]
    if wrong := [status for status, _ in answers if status != 200]:
        sys.exit(f"{len(wrong)} of {requests} requests were not answered, the first with {wrong[0]}")
    return percentiles([took_s - WAIT_MS / 1000 for _, took_s in answers])


def main() -> None:
    """Measure, print, and write JSON if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=above_zero(int), default=3)
    parser.add_argument("--seconds", type=above_zero(float), default=15.0)
    parser.add_argument("--requests", type=above_zero(int), default=300)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found: dict[str, Any] = {
        "command": " ".join(["python", *sys.argv]),
        "machine": machine(),
        "added": added_latency(chosen.requests),
        "throughput": {},
    }
    print(
        f"{found['machine']}\nadded to a detector of {WAIT_MS:g} ms, {chosen.requests} requests one by one:",
        found["added"],
    )
    for number in range(chosen.rounds):
        for name, (command, address, body) in ways(free_port()).items():
            with running(command, address, body):
                wait_for_quiet(10.0)
                figures = throughput(address, body, chosen.seconds)
            if figures["refused"]:
                sys.exit(f"{name} did not answer {figures['refused']:.0f} requests of round {number + 1}")
            found["throughput"].setdefault(name, []).append(figures)
            print(f"round {number + 1}, {name}: {figures}", flush=True)
    ours = [one["requests_per_s"] for one in found["throughput"]["groundcam serve"]]
    for name, rounds in found["throughput"].items():
        ratios = [mine / one["requests_per_s"] for mine, one in zip(ours, rounds, strict=True)]
        print(f"groundcam serve answers {statistics.median(ratios):.2f} times as many requests a second as {name}")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
