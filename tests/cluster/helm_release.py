"""kubectl and helm as a user calls them, on whatever cluster KUBECONFIG names."""

import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "groundcam"
WORKER, PRODUCER = "GROUNDCAM_TEST_WORKER_IMAGE", "GROUNDCAM_TEST_PRODUCER_IMAGE"
SECOND_TAG = "GROUNDCAM_TEST_SECOND_TAG"
HOST = "GROUNDCAM_TEST_KAFKA_HOST"
VARIABLES = {
    "KUBECONFIG": "the cluster",
    WORKER: "the worker's image, NAME:TAG, that the cluster has or can pull",
    PRODUCER: "the producer's image, with the same tag",
    HOST: "an address of this machine that pods reach: an Apache Kafka is started there",
}
MISSING = [f"{name} ({what})" for name, what in VARIABLES.items() if not os.environ.get(name)]
MISSING += [f"the program {name}" for name in ("kubectl", "helm", "prometheus") if shutil.which(name) is None]
REASON = f"not given: {', '.join(MISSING)}"
POD_SECURITY = "pod-security.kubernetes.io"
PORT = 8080
READINESS = f"""
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen("http://127.0.0.1:{PORT}/readyz").read().decode())
except urllib.error.HTTPError as error:
    print(error.read().decode())
"""
"""Prints the reason of a pod that is not ready, in the pod: kubectl shows no text of a refusal."""


class CommandError(RuntimeError):
    """A command ended with an error; the message is what it said."""


def run(*command: str, text: str = "", timeout_s: float = 420) -> str:
    """Return what a command prints. Raises CommandError."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=timeout_s)
    if done.returncode:
        raise CommandError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def images(tag: str | None = None) -> dict[str, Any]:
    """The chart's `image` values for the images that were given."""
    (worker, one), (producer, other) = (os.environ[name].rsplit(":", 1) for name in (WORKER, PRODUCER))
    assert one == other, f"{WORKER} and {PRODUCER} need the same tag"
    return {"tag": tag or one, "worker": {"repository": worker}, "producer": {"repository": producer}}


@dataclass(frozen=True)
class Namespace:
    """A namespace that refuses pods below the Pod Security Standard "restricted"."""

    name: str

    def create(self) -> None:
        labels = {"enforce": "restricted", "enforce-version": "latest"}
        self.apply({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": self.name, "labels": {f"{POD_SECURITY}/{key}": value for key, value in labels.items()}},
        })  # fmt: skip

    def delete(self) -> None:
        run("kubectl", "delete", "namespace", self.name, "--ignore-not-found")

    def apply(self, *objects: dict[str, Any], dry: bool = False) -> str:
        """Create or change objects. Raises CommandError with the API server's own words."""
        options = ("--dry-run=server",) if dry else ()
        return run("kubectl", "apply", *options, "-f", "-", text="\n---\n".join(map(json.dumps, objects)))

    def kubectl(self, *arguments: str) -> str:
        return run("kubectl", "-n", self.name, *arguments)

    def items(self, kind: str, labels: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-l", labels, "-o", "json"))["items"]
        return found

    def make_secret(self, name: str, **values: str) -> None:
        self.apply({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": self.name}, "stringData": values,
        })  # fmt: skip

    def events(self) -> list[str]:
        return [event.get("message", "") for event in self.items("events")]

    def left(self, labels: str) -> list[str]:
        """Objects of every kind, in the namespace and outside, that carry these labels."""
        found = []
        for scope, options in (("true", ("-n", self.name)), ("false", ())):
            kinds = run("kubectl", "api-resources", "--verbs=list", f"--namespaced={scope}", "-o", "name").split()
            told = [kind for kind in kinds if not kind.startswith("events")]
            found += run("kubectl", "get", ",".join(told), *options, "-l", labels, "-o", "name").split()
        return found


@dataclass(frozen=True)
class Release:
    """An installation of the chart."""

    namespace: Namespace
    name: str
    folder: Path

    @property
    def labels(self) -> str:
        return f"app.kubernetes.io/instance={self.name}"

    def put(self, values: dict[str, Any], *, wait: bool = True) -> str:
        """Install, or upgrade, to these values; return how long it took, in words. Raises CommandError."""
        path = self.folder / f"{self.name}.json"
        path.write_text(json.dumps(values))
        options = ("--wait", "--wait-for-jobs", "--timeout", "6m") if wait else ()
        started = time.monotonic()
        self._helm("upgrade", "--install", self.name, str(CHART), "-f", str(path), *options)
        returned = time.monotonic() - started
        if not wait:
            return f"{returned:.0f} s"
        # Of pods that a strategy lets be unavailable, and of a single one that is all of them, Helm waits for none.
        for name in self.namespace.kubectl("get", "deployment", "-l", self.labels, "-o", "name").split():
            self.namespace.kubectl("rollout", "status", name, "--timeout=6m")
        return f"helm returns after {returned:.0f} s, all pods are ready after {time.monotonic() - started:.0f} s"

    def test(self) -> str:
        """`helm test`. Raises CommandError when it fails."""
        return self._helm("test", self.name, "--timeout", "3m")

    def uninstall(self) -> None:
        self._helm("uninstall", self.name, "--wait", "--timeout", "3m", "--ignore-not-found")

    def is_known(self) -> bool:
        """Whether Helm knows it, in whatever state."""
        return self.name in self._helm("list", "-a", "-q").split()

    def pods(self, component: str) -> list[dict[str, Any]]:
        """Its pods, without those that are on their way out."""
        found = self.namespace.items("pods", f"{self.labels},app.kubernetes.io/component={component}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready(self, component: str) -> list[str]:
        """The names of its pods that are ready."""
        return [
            pod["metadata"]["name"]
            for pod in self.pods(component)
            if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))
        ]

    def scale(self, component: str, replicas: int) -> None:
        """As an operator in a hurry does, past Helm."""
        labels = f"{self.labels},app.kubernetes.io/component={component}"
        self.namespace.kubectl("scale", "deployment", "-l", labels, f"--replicas={replicas}")

    def metrics(self, pod: str) -> list[str]:
        """The lines of a pod's metrics, by way of the API server."""
        return self._page(pod, "metrics").splitlines()

    def status(self, pod: str) -> dict[str, Any]:
        """What a pod tells people about itself, by way of the API server."""
        told: dict[str, Any] = yaml.safe_load(self._page(pod, "status"))
        return told

    def _page(self, pod: str, path: str) -> str:
        return run(
            "kubectl", "get", "--raw", f"/api/v1/namespaces/{self.namespace.name}/pods/{pod}:{PORT}/proxy/{path}"
        )

    def told(self, component: str) -> str:
        """Everything that a person would look at: what ended containers left, logs, probes, events."""
        said = []
        for pod in self.pods(component):
            name = pod["metadata"]["name"]
            for status in pod["status"].get("containerStatuses", ()):
                for state in (status["state"], status["lastState"]):
                    said += [str(part.get("message", "")) for part in state.values()]
            said += [self._quietly("logs", name), self._quietly("exec", name, "--", "python", "-c", READINESS)]
        return "\n".join([*said, *self.namespace.events()])

    def _quietly(self, *arguments: str) -> str:
        try:
            return self.namespace.kubectl(*arguments)
        except CommandError:
            return ""  # the container has not begun, or has ended

    def _helm(self, *arguments: str) -> str:
        return run("helm", "-n", self.namespace.name, *arguments)
