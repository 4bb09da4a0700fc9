"""Compile the network for one input shape, in a process of its own, and as long only as whoever started it lives.

python -m groundcam_worker.detectors.grounding_dino.compiled MODEL_FOLDER SAMPLING HEIGHT WIDTH INTO
"""

import os
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

import torch

from groundcam_worker.checkpoints.catalogue import ModelSource
from groundcam_worker.checkpoints.folder_lock import alone_in
from groundcam_worker.checkpoints.loading import load
from groundcam_worker.detectors.grounding_dino.compiled.export import compile_into
from groundcam_worker.detectors.grounding_dino.compiled.packages import is_there
from groundcam_worker.detectors.grounding_dino.network import Network

KEPT = 32
"""Folders of compiled code in one cache."""
UNFINISHED = ".unfinished-"


def main() -> None:
    """Fill the folder INTO, which gets its name when it is whole."""
    model, sampling, height, width, into = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(19)
    folder = Path(into)
    with alone_in(folder.parent):
        if not is_there(folder):
            _fill(folder, model, sampling, int(height), int(width))


def _fill(folder: Path, model: str, sampling: str, height: int, width: int) -> None:
    loaded = load(ModelSource(model, model)).model.eval().requires_grad_(requires_grad=False)
    network = Network(loaded, sampling).to_precision(torch.float32).eval()
    for cut_off in folder.parent.glob(f"{UNFINISHED}*"):
        shutil.rmtree(cut_off, ignore_errors=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=UNFINISHED))
    sources = made / "sources"
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(sources)
    with torch.no_grad():
        compile_into(made, network, height, width, int(loaded.config.max_text_len))
    shutil.rmtree(sources)
    made.chmod(0o755)
    made.rename(folder)
    by_age = sorted((one for one in folder.parent.glob("[!.]*") if one.is_dir()), key=lambda one: one.stat().st_mtime)
    for old in by_age[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def _end_with_parent() -> None:
    """The parent holds the other end of the standard input, and writes nothing."""
    os.read(sys.stdin.fileno(), 1)  # a buffered read would hold a lock that the end of the interpreter wants
    os.killpg(0, signal.SIGKILL)  # a compiler may be at work


if __name__ == "__main__":
    main()
