"""Packages as an installer leaves them, made up for tests of the supply chain."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ELF = b"\x7fELF" + bytes(60)


def install(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    metadata: str = "License-Expression: MIT",
    files: Mapping[str, bytes] | None = None,
    bill: list[dict[str, Any]] | None = None,
) -> None:
    """Put a package into a folder of packages: metadata (RFC 822 lines), files, and a bill of materials of its own."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    written = {f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{metadata}\n".encode()}
    written |= files or {}
    if bill is not None:
        written[f"{info}/sboms/made-up.cdx.json"] = json.dumps({"components": bill}).encode()
    written[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*written, f"{info}/RECORD"]).encode()
    for path, content in written.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
