"""The models that have short names, listed with what is on this machine."""

import json
import re
import subprocess
import sys
from pathlib import Path

from groundcam_worker.checkpoints.catalogue import KNOWN
from hub_server import NOWHERE, groundcam


def test_the_known_models_are_listed_with_what_is_here(tmp_path: Path) -> None:
    """As a table and as JSON, without asking the Hub."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--IDEA-Research--grounding-dino-tiny"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots" / commit).mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (repository / "snapshots" / commit / name).write_bytes(b"")
    rows = [json.loads(line) for line in groundcam(NOWHERE, tmp_path, "--json").stdout.splitlines()]
    assert [row["name"] for row in rows] == list(KNOWN)
    assert {row["name"]: (row["here"], row["revision"]) for row in rows if row["here"]} == {
        "demo": ("in the box", None),
        "tiny": ("in the cache", commit),
    }
    from groundcam.commands.models import _table

    table = _table(rows).splitlines()
    assert table[0].split() == [
        "NAME",
        "ARCHITECTURE",
        "BACKBONE",
        "MILLIONS",
        "COCO",
        "AP",
        "LVIS",
        "AP",
        "HERE",
        "HUB",
        "ID",
    ]
    assert re.search(
        r"^tiny .* 172 .* 48\.4 zero-shot \[1\] +28\.8 \[2\] +in the cache  IDEA-Research/grounding-dino-tiny$",
        table[2],
    )
    assert re.search(r"^base .* 56\.7 trained on COCO \[1\] +- +- ", table[3])
    assert "[1] github.com/IDEA-Research/GroundingDINO, README" in table
    assert re.search(r"^llmdet-large .* 344 +- +51\.1 \[\d\] ", next(line for line in table if "llmdet-large" in line))
    assert "rare words" in table[-2]


def test_neither_listing_nor_fetching_loads_torch() -> None:
    code = (
        "import sys, groundcam.commands.models as it; it._table(it._rows(it._hub()));"
        "print(sorted({'torch', 'transformers', 'numpy', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
