"""One trace follows a frame from its capture to the acknowledged answer, as a collector receives it over OTLP."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from conftest import Start, Wait
from footage import jpeg, video
from groundcam.audit import audit, totals
from groundcam.devkafka.broker import free_port
from groundcam_runtime.kafka.reader import Reader
from groundcam_runtime.settings import KafkaSettings
from groundcam_schemas import Detections, decode_answer
from serve_client import Client

pytestmark = pytest.mark.broker


@dataclass(frozen=True)
class Span:
    service: str
    name: str
    trace: bytes
    id: bytes
    parent: bytes
    start: int
    end: int
    attributes: dict[str, str] = field(default_factory=dict)


class Collector:
    """Takes OTLP over HTTP, as a real one does."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.paths: set[str] = set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    import gzip

                    body = gzip.decompress(body)
                collector.take(ExportTraceServiceRequest.FromString(body))
                collector.paths.add(self.path)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"

    def take(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            service = next(a.value.string_value for a in resource.resource.attributes if a.key == "service.name")
            for scope in resource.scope_spans:
                for one in scope.spans:
                    attributes = {a.key: a.value.string_value or str(a.value.int_value) for a in one.attributes}
                    self.spans.append(
                        Span(
                            service,
                            one.name,
                            one.trace_id,
                            one.span_id,
                            one.parent_span_id,
                            one.start_time_unix_nano,
                            one.end_time_unix_nano,
                            attributes,
                        )
                    )


@pytest.fixture
def collector() -> Iterator[Collector]:
    one = Collector()
    thread = threading.Thread(target=one.server.serve_forever)
    thread.start()
    yield one
    one.server.shutdown()
    thread.join()
    one.server.server_close()
    assert one.paths <= {"/v1/traces"}


def run(kafka: KafkaSettings, start: Start, wait: Wait, frames: int, **variables: str) -> None:
    """A clip through a producer and a worker, until everything is answered."""
    worker = start(
        kafka, "work", "--model", "fake:5ms", "--question", "person", "--group", kafka.topic_prefix, **variables
    )
    wait(lambda: "waiting for frames" in worker.log, 60, "the worker")
    clip = video("bikes.mp4")
    producer = start(kafka, "produce", "--camera", f"gate={clip}", "--fps", "5", "--loop", **variables)
    with Reader(kafka, [kafka.topics.detections], start="beginning") as reader:
        answers: list[object] = []

        def enough() -> bool:
            answers.extend(reader.poll(0.1))
            return len(answers) >= frames

        wait(enough, 60, "answers")
    assert producer.stop() == 0
    wait(lambda: not totals(audit(kafka)).missing, 60, "answers to whatever was published")
    assert worker.stop() == 0


def test_a_collector_receives_one_whole_trace_of_each_frame(
    kafka: KafkaSettings, start: Start, wait: Wait, collector: Collector
) -> None:
    run(kafka, start, wait, 10, GROUNDCAM_TRACE__ENDPOINT=collector.address)
    by_trace = defaultdict(list)
    for span in collector.spans:
        by_trace[span.trace].append(span)
    whole = [spans for spans in by_trace.values() if {one.name for one in spans} >= {"publish frame", "answer frame"}]
    assert len(whole) >= 10
    for spans in whole:
        by_name = {one.name: one for one in spans}
        assert len(by_name) == len(spans), "each stage once"
        assert set(by_name) == {
            "publish frame", "encode", "send", "answer frame", "queue", "decode", "batch", "detect", "publish",
        }  # fmt: skip
        capture, answer = by_name["publish frame"], by_name["answer frame"]
        assert (capture.parent, capture.service) == (b"", "groundcam-producer")
        assert (answer.parent, answer.service) == (capture.id, "groundcam-worker")
        assert all(by_name[name].parent == capture.id for name in ("encode", "send"))
        assert all(by_name[name].parent == answer.id for name in ("queue", "decode", "batch", "detect", "publish"))
        assert capture.start <= answer.start <= by_name["detect"].start <= by_name["detect"].end <= answer.end
        assert answer.attributes["groundcam.camera"] == "gate"
        assert answer.attributes["groundcam.outcome"] == "detected"


def test_a_request_over_http_goes_on_in_the_trace_of_its_client(
    kafka: KafkaSettings, start: Start, wait: Wait, collector: Collector
) -> None:
    traced = {"GROUNDCAM_TRACE__ENDPOINT": collector.address}
    worker = start(kafka, "work", "--model", "fake:5ms", "--group", kafka.topic_prefix, **traced)
    port = free_port()
    service, client = start(kafka, "serve", "--port", port, **traced), Client(port)
    wait(lambda: client.is_ready and client.detect(jpeg(), "person").status == 200, 60, "an answer")
    trace, above = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    traceparent = f"00-{trace}-{above}-01"
    assert client.ask("POST", "/v1/detect?question=dog", jpeg(), traceparent=traceparent).status == 200
    assert (service.stop(), worker.stop()) == (0, 0)
    mine = {span.name: span for span in collector.spans if span.trace.hex() == trace}
    assert set(mine) == {"answer request", "answer frame", "queue", "decode", "batch", "detect", "publish"}
    request, answer = mine["answer request"], mine["answer frame"]
    assert (request.service, request.parent.hex()) == ("groundcam-serve", above)
    assert (answer.service, answer.parent) == ("groundcam-worker", request.id)
    assert request.start <= answer.start <= answer.end <= request.end + 100_000_000


def test_the_answers_carry_the_context_on(kafka: KafkaSettings, start: Start, wait: Wait, collector: Collector) -> None:
    run(kafka, start, wait, 5, GROUNDCAM_TRACE__ENDPOINT=collector.address, GROUNDCAM_TRACE__RATIO="0.5")
    traces = {span.trace.hex() for span in collector.spans}
    with Reader(kafka, [kafka.topics.detections], start="beginning") as reader:
        answers = [
            record for record in reader.to_the_end() if isinstance(decode_answer(record.value or b""), Detections)
        ]
        parents = [dict(record.headers)["traceparent"].decode() for record in answers]
    fields = [parent.split("-") for parent in parents]
    sampled = {trace for _, trace, _, flags in fields if int(flags, 16) & 1}
    ignored = {trace for _, trace, _, flags in fields if not int(flags, 16) & 1}
    assert len(sampled) + len(ignored) == len(parents)
    assert sampled <= traces
    assert not ignored & traces, "what the producer chose not to trace, the worker does not trace either"


def test_without_an_endpoint_records_have_no_such_header(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    run(kafka, start, wait, 3)
    with Reader(kafka, [kafka.topics.frames, kafka.topics.detections], start="beginning") as reader:
        assert all("traceparent" not in dict(record.headers) for record in reader.to_the_end())


def test_a_collector_that_is_away_costs_no_frame(kafka: KafkaSettings, start: Start, wait: Wait) -> None:
    run(kafka, start, wait, 10, GROUNDCAM_TRACE__ENDPOINT="http://127.0.0.1:9")
    account = totals(audit(kafka))
    assert account.detected >= 10
    assert (account.missing, account.dead_lettered, account.repeated) == (0, 0, 0)
