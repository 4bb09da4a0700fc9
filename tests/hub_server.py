"""The part of the Hugging Face Hub's HTTP API that fetching a model uses, on loopback, with faults to order."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from huggingface_hub import constants

NOWHERE = "http://127.0.0.1:1"
REPOSITORY, GATED = "somebody/small", "somebody/gated"


def small_files(weights: bytes = b"weights" * 20_000) -> dict[str, bytes]:
    """A repository as they are: what a model needs, and what is not to be fetched."""
    return {
        ".gitattributes": b"*.safetensors filter=lfs",
        "README.md": b"# A model",
        "config.json": b'{"model_type": "small"}',
        "model.safetensors": weights,
        "onnx/config.json": b"{}",
        "pytorch_model.bin": b"may hold code",
        "tokenizer.json": b'{"version": "1.0"}',
        "vocab.txt": b"person\ndog\n",
    }


WANTED = {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"}


def read_folder(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def ask_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Let the Hub's client in this process ask here, or NOWHERE."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


def environment(url: str, home: Path) -> dict[str, str]:
    """The variables that let a process ask there, with a cache of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GROUNDCAM_", "HF_"))}
    return kept | {"HF_ENDPOINT": url, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1"}


@dataclass
class Hub:
    """A Hub with one repository. What a client asked for is in `requests`, as "GET /path"."""

    revisions: dict[str, dict[str, bytes]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    cut: set[str] = field(default_factory=set)
    """Files whose next answer ends in the middle."""
    broken: set[str] = field(default_factory=set)
    """Files that are answered with HTTP 503, after a cut if one was ordered."""
    spoiled: set[str] = field(default_factory=set)
    """Files that arrive with other bytes than were published."""
    held: set[str] = field(default_factory=set)
    """Files whose answer stops in the middle, after which `halfway` is set, until the hub is closed."""
    halfway: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="hub")
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def publish(self, files: dict[str, bytes], name: str = "main") -> str:
        """Make these files the newest revision of a branch; return its commit."""
        commit = hashlib.sha1(repr(sorted(files.items())).encode(), usedforsecurity=False).hexdigest()
        self.revisions[commit], self.names[name] = files, commit
        return commit

    def downloads(self) -> list[str]:
        """Which files were asked for, and forget it."""
        names = [line.rpartition("/")[2] for line in self.requests if line.startswith("GET") and "/resolve/" in line]
        self.requests.clear()
        return names

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.requests.append(f"{self.command} {path}")
        match path.strip("/").split("/"):
            case ["api", "models", owner, name, "tree", commit] if f"{owner}/{name}" == REPOSITORY:
                self._json([_entry(file, content) for file, content in self.hub.revisions[commit].items()])
            case ["api", "models", owner, name, *rest]:
                self._info(f"{owner}/{name}", rest[1] if rest else "main")
            case [owner, name, "resolve", revision, *rest] if f"{owner}/{name}" == REPOSITORY:
                self._file(revision, "/".join(rest))
            case _:
                self._refuse(404, "EntryNotFound")

    def _info(self, repository: str, revision: str) -> None:
        commit = self.hub.names.get(revision, revision)
        if repository == GATED:
            self._refuse(403, "GatedRepo")
        elif repository != REPOSITORY:
            self._refuse(401, "RepoNotFound")
        elif commit not in self.hub.revisions:
            self._refuse(404, "RevisionNotFound")
        else:
            siblings = [_sibling(name, content) for name, content in self.hub.revisions[commit].items()]
            self._json({"id": repository, "sha": commit, "siblings": siblings})

    def _json(self, body: Any) -> None:
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _file(self, commit: str, name: str) -> None:
        content = self.hub.revisions[commit][name]
        headers = {"ETag": f'"{_git_id(content)}"', "X-Repo-Commit": commit}
        if name.endswith(".safetensors"):
            headers |= {"X-Linked-Etag": f'"{_sha256(content)}"', "X-Linked-Size": str(len(content))}
        if name in self.hub.spoiled:
            content = bytes(len(content))
        if self.command == "HEAD":
            self._send(200, content, headers)
        elif name in self.hub.cut:
            self.hub.cut.discard(name)
            self._send(200, content, headers, until=len(content) // 2)
        elif name in self.hub.broken:
            self._refuse(503, "")
        elif name in self.hub.held:
            self._send(200, content, headers, until=len(content) // 2, wait=True)
        elif begin := int(self.headers.get("Range", "bytes=0-")[6:].partition("-")[0]):
            self.hub.requests[-1] += f" from {begin}"
            span = {"Content-Range": f"bytes {begin}-{len(content) - 1}/{len(content)}"}
            self._send(206, content[begin:], headers | span)
        else:
            self._send(200, content, headers)

    def _refuse(self, status: int, code: str) -> None:
        self._send(status, b"", {"X-Error-Code": code} if code else {})

    def _send(
        self, status: int, body: bytes, headers: dict[str, str], until: int | None = None, wait: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:until])
        if wait:
            self.hub.halfway.set()
            self.hub.closing.wait()
        self.close_connection = until is not None

    def log_message(self, *_: object) -> None:
        """Say nothing: the requests are kept."""


def _sibling(name: str, content: bytes) -> dict[str, Any]:
    """A file as the model's description tells it."""
    sibling: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": _git_id(content)}
    if name.endswith((".safetensors", ".bin")):
        sibling["lfs"] = {"size": len(content), "sha256": _sha256(content), "pointerSize": 134}
    return sibling


def _entry(name: str, content: bytes) -> dict[str, Any]:
    """A file as the listing of a commit tells it."""
    return {"type": "file", "path": name, "size": len(content), "oid": _git_id(content)}


def _git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def groundcam(url: str, home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run `groundcam models ARGUMENTS...` as a user does."""
    command, where = [sys.executable, "-m", "groundcam", "models", *map(str, arguments)], environment(url, home)
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=where)
