"""Traces of frames, over OTLP, where they are asked for. The only file that imports opentelemetry.

One trace follows a frame from its capture to the acknowledged answer; its context travels in the `traceparent` header
of the records (W3C Trace Context). Spans are made from time stamps that are taken anyway: where tracing is off it
costs nothing.
"""

import importlib
import logging
import threading
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from groundcam_runtime.settings import SettingError, TraceSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Tracer
    from opentelemetry.sdk.trace.export import SpanExporter

log = logging.getLogger(__name__)

Header = tuple[str, bytes]
PATH = "/v1/traces"
CONTEXT_HEADERS = ("traceparent", "tracestate")
CLOSE_S = 2.0
"""So long the end of a process waits for a collector that does not answer."""
EXPORT_S = 2
Attributes = Mapping[str, str | float]


class Trace(Protocol):
    """One frame's span in this process."""

    headers: tuple[Header, ...]
    """To send along with the frame, or with its answer."""

    def stage(self, name: str, start_ns: int, end_ns: int) -> None:
        """Record a stage of it, by its times (nanoseconds since the epoch)."""

    def end(self, end_ns: int, **attributes: str | float) -> None:
        """End the span, with attributes. Only the first call counts."""


class _Untraced:
    headers: tuple[Header, ...] = ()

    def stage(self, name: str, start_ns: int, end_ns: int) -> None:
        pass

    def end(self, end_ns: int, **attributes: str | float) -> None:
        pass


UNTRACED: Trace = _Untraced()


def require_tracing(settings: TraceSettings) -> None:
    """Raise SettingError, before anything is started, where traces are wanted and the packages are missing."""
    if settings.endpoint is None:
        return
    for name in ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
        try:
            importlib.import_module(name)
        except ImportError:
            raise SettingError(f"trace.endpoint needs {name}: pip install 'groundcam[tracing]'") from None


class Tracing:
    """Begins traces, or goes on with those that came over Kafka. Without an endpoint it does nothing."""

    def __init__(
        self, settings: TraceSettings, service: str, version: str, *, exporter: "SpanExporter | None" = None
    ) -> None:
        """`service` is the name of this process in traces. Needs what `require_tracing` looks for."""
        self._tracer: Tracer | None = None
        self._provider: Any = None
        if settings.endpoint is None and exporter is None:
            return
        # Half a second, for those who want traces.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._propagator = TraceContextTextMapPropagator()
        self._provider = TracerProvider(
            sampler=ParentBasedTraceIdRatio(settings.ratio),
            resource=Resource.create({"service.name": service, "service.version": version}),
            shutdown_on_exit=False,
        )
        exporter = exporter or OTLPSpanExporter(endpoint=full_endpoint(settings.endpoint or ""), timeout=EXPORT_S)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("groundcam", version)

    @property
    def is_on(self) -> bool:
        """Whether anybody wants traces."""
        return self._tracer is not None

    def begin(self, name: str, start_ns: int, headers: Iterable[Header], attributes: Attributes) -> Trace:
        """Begin a span, below the one whose context is in the headers if there is one."""
        if self._tracer is None:
            return UNTRACED
        carrier = {key: value.decode("latin-1") for key, value in headers if key in CONTEXT_HEADERS}
        above = self._propagator.extract(carrier)
        span = self._tracer.start_span(name, context=above, start_time=start_ns, attributes=attributes)
        if not span.is_recording():
            # The decision goes along, or whoever comes next would take one of its own.
            return _Unrecorded(self._headers(span))
        return _Recorded(self._tracer, span, self._headers(span))

    def close(self) -> None:
        """Send what is left, within seconds: the SDK's own time-outs do not bound a whole queue."""
        if self._provider is not None:
            closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
            closing.start()
            closing.join(CLOSE_S)

    def _headers(self, span: Any) -> tuple[Header, ...]:
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, set_span_in_context(span))
        return tuple((key, value.encode("latin-1")) for key, value in carrier.items())


class _Unrecorded(_Untraced):
    def __init__(self, headers: tuple[Header, ...]) -> None:
        self.headers = headers


class _Recorded:
    def __init__(self, tracer: "Tracer", span: Any, headers: tuple[Header, ...]) -> None:
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415

        self._tracer = tracer
        self._span = span
        self._context = set_span_in_context(span)
        self.headers = headers

    def stage(self, name: str, start_ns: int, end_ns: int) -> None:
        if start_ns and end_ns >= start_ns:
            self._tracer.start_span(name, context=self._context, start_time=start_ns).end(end_ns)

    def end(self, end_ns: int, **attributes: str | float) -> None:
        if self._span.is_recording():
            self._span.set_attributes(attributes)
            self._span.end(end_ns)


def full_endpoint(endpoint: str) -> str:
    """Return the URL for traces: a bare address gets OTLP's own path."""
    scheme, _, rest = endpoint.partition("://")
    host, _, path = rest.partition("/")
    return endpoint if path else f"{scheme}://{host}{PATH}"
