"""Traces end in time, go where they should, and are refused early where their packages are missing."""

import builtins
import importlib
import socket
import subprocess
import sys
from typing import Any

import pytest

from groundcam_runtime.settings import SettingError, TraceSettings
from groundcam_runtime.tracing import CLOSE_S, UNTRACED, Tracing, full_endpoint, require_tracing

TRACED = """
import sys, time
from groundcam_runtime.settings import TraceSettings
from groundcam_runtime.tracing import Tracing
tracing = Tracing(TraceSettings(endpoint=sys.argv[1]), "groundcam-worker", "1")
for number in range(1200):
    tracing.begin("answer frame", number, (), {}).end(number + 1)
began = time.monotonic()
tracing.close()
print(time.monotonic() - began)
"""


def test_a_collector_that_accepts_and_never_answers_holds_up_the_end_for_seconds_only() -> None:
    """The SDK's own time-outs bound one batch, not the queue. In a process of its own, whose end they hold up."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-c", TRACED, endpoint], capture_output=True, text=True, timeout=60, check=True
        )
    assert float(done.stdout) < CLOSE_S + 1


def test_without_an_endpoint_nothing_is_traced() -> None:
    tracing = Tracing(TraceSettings(), "groundcam-worker", "1")
    assert not tracing.is_on
    assert tracing.begin("answer frame", 1, (), {}) is UNTRACED
    tracing.close()


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://collector/otlp/v1/traces", "https://collector/otlp/v1/traces"),
    ],
)
def test_a_bare_address_gets_the_path_of_otlp(given: str, full: str) -> None:
    assert full_endpoint(given) == full


def test_missing_packages_are_told_before_anything_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return builtins.__import__(name, *rest)

    monkeypatch.setattr(importlib, "import_module", missing)
    require_tracing(TraceSettings())
    with pytest.raises(SettingError, match=r"pip install 'groundcam\[tracing\]'"):
        require_tracing(TraceSettings(endpoint="http://collector:4318"))
