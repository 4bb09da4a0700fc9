"""A client of the HTTP service, on the standard library alone."""

import http.client
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from groundcam.devkafka.broker import free_port
from groundcam_runtime.settings import KafkaSettings

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def boxes(self) -> list[tuple[str, float, tuple[float, ...]]]:
        """Of the only picture."""
        (result,) = self.json["results"]
        return [(one["label"], one["score"], tuple(one["box"])) for one in result["objects"]]


class Client:
    """Asks one service, a connection a request."""

    def __init__(self, port: int, key: str | None = None, timeout_s: float = 30.0) -> None:
        self.port, self._key, self._timeout_s = port, key, timeout_s

    def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout_s)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self._key:
            given["Authorization"] = f"Bearer {self._key}"
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # an answer may come before all of the body is sent
                connection.request(method, path, data, given)
            answer = connection.getresponse()
            names = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, names, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def send(self, method: str, path: str, content: object, **headers: str) -> Answer:
        return self.ask(method, path, json.dumps(content).encode(), **JSON, **headers)

    def detect(self, picture: bytes, question: str, accept: str = "*/*", **options: object) -> Answer:
        query = urllib.parse.urlencode({"question": question, **options})
        return self.ask("POST", f"/v1/detect?{query}", picture, Accept=accept)

    @property
    def is_ready(self) -> bool:
        return self._says_yes("/readyz")

    @property
    def is_alive(self) -> bool:
        """Whether it serves at all, with a worker or without."""
        return self._says_yes("/healthz")

    def _says_yes(self, path: str) -> bool:
        try:
            return self.get(path).status == 200
        except OSError:
            return False

    @contextmanager
    def events(self, path: str = "/v1/detections", **headers: str) -> Iterator["Events"]:
        """A stream of events."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self._timeout_s)
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        events = Events(connection.getresponse())
        try:
            yield events
        finally:
            events.response.close()
            connection.close()


class Events:
    """Server-sent events, read as the living standard says."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.response = response
        self.last_id = ""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        kind, data, place = "message", list[str](), ""
        for raw in self.response:
            line = raw.decode().rstrip("\n")
            field, _, value = line.partition(": ")
            match field:
                case "id":
                    place = value
                case "event":
                    kind = value
                case "data":
                    data.append(value)
                case "":
                    self.last_id = place or self.last_id
                    if data:
                        yield kind, json.loads("\n".join(data))
                    kind, data = "message", []


def serve(
    start: Callable[..., Any], kafka: KafkaSettings, *options: object, key: str | None = None
) -> tuple[Any, Client]:
    """Start the service in front of a Kafka."""
    port = free_port()
    program = start(kafka, "serve", "--port", str(port), *options)
    return program, Client(port, key)


def work(start: Callable[..., Any], kafka: KafkaSettings, model: str, *options: str) -> Any:
    """Start a worker in a group of its own."""
    return start(kafka, "work", "--model", model, "--group", kafka.topic_prefix, *options)


def form(parts: list[tuple[str, str | None, bytes]]) -> tuple[bytes, str]:
    """A multipart form of (name, file name or None, content); returns it with its content type."""
    boundary = "f7a0b1"
    out = b""
    for name, file, content in parts:
        named = f'; filename="{file}"' if file else ""
        out += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode() + content + b"\r\n"
        )
    return out + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def together(work: Callable[[int], object], count: int, threads: int) -> None:
    """Do something many times on some threads; the first exception is raised."""
    numbers, lock, failed = iter(range(count)), threading.Lock(), list[BaseException]()

    def run() -> None:
        while not failed:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            try:
                work(number)
            except BaseException as error:  # noqa: BLE001 - it is raised again
                failed.append(error)

    running = [threading.Thread(target=run) for _ in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    if failed:
        raise failed[0]
