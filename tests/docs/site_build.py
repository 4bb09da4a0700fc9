"""What `make site` does, elsewhere."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def gather(folder: Path) -> None:
    """Lay out what the site is built of."""
    subprocess.run([sys.executable, ROOT / "docs/site/gather.py", folder], check=True, timeout=60)


def build(sources: Path, site: Path) -> "subprocess.CompletedProcess[str]":
    """Build the site of these sources."""
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site],
        check=False, timeout=60, cwd=ROOT, capture_output=True, text=True,
        env=os.environ | {"SITE_SOURCES": str(sources), "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
