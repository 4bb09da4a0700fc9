"""Compile the network for one input shape, in a process of its own, and as long only as whoever started it lives.

    python -m groundcam_worker.detectors.grounding_dino.compiled MODEL_FOLDER SAMPLING HEIGHT WIDTH INTO

The last line on standard error says why it failed.
"""

import json
import os
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import torch

from groundcam_worker.checkpoints.catalogue import ModelSource
from groundcam_worker.checkpoints.folder_lock import alone_in
from groundcam_worker.checkpoints.loading import load
from groundcam_worker.detectors.grounding_dino.compiled.export import compile_into
from groundcam_worker.detectors.grounding_dino.compiled.packages import SUMS, UNFINISHED, digest_of, is_there, sums_of
from groundcam_worker.detectors.grounding_dino.linear import HAS_ONEDNN
from groundcam_worker.detectors.grounding_dino.network import Network
from groundcam_worker.errors import first_line

KEPT = 64
"""Folders of compiled code in one cache."""
LONGEST_S = 1800
"""Whoever waits for the same cache waits so long at most."""


def main() -> int:
    """Fill the folder INTO, which gets its name when it is whole; return the exit code."""
    model, sampling, height, width, into = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.nice(19)
    with suppress(OSError):  # where memory is short, this process shall end, and not the worker
        Path("/proc/self/oom_score_adj").write_text("1000")
    folder = Path(into)
    try:
        with alone_in(folder.parent):
            limit = threading.Timer(LONGEST_S, _too_long)
            limit.daemon = True
            limit.start()
            if not is_there(folder):
                _fill(folder, model, sampling, int(height), int(width))
    except Exception as error:  # noqa: BLE001 - torch and a compiler raise almost anything
        found = [line for line in str(error).splitlines() if "error:" in line]
        print(f"{type(error).__name__}: {found[0].strip() if found else first_line(error)}", file=sys.stderr)
        return 1
    return 0


def _fill(folder: Path, model: str, sampling: str, height: int, width: int) -> None:
    loaded = load(ModelSource(model, model)).model.eval().requires_grad_(requires_grad=False)
    if not folder.name.startswith(digest_of(loaded.config.to_dict(), sampling)):
        raise RuntimeError(f"{model}, or groundcam itself, was changed since the worker began: restart it")
    network = Network(loaded, sampling, onednn=HAS_ONEDNN).to_precision(torch.float32).eval()
    for cut_off in folder.parent.glob(f"{UNFINISHED}*"):
        shutil.rmtree(cut_off, ignore_errors=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=UNFINISHED))
    try:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(made / "sources")
        with torch.no_grad():
            compile_into(made, network, height, width, int(loaded.config.max_text_len))
        shutil.rmtree(made / "sources")
        (made / SUMS).write_text(json.dumps(sums_of(made), indent=1))
        made.chmod(0o755)
        made.rename(folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    by_use = sorted((one for one in folder.parent.glob("[!.]*") if one.is_dir()), key=lambda one: one.stat().st_mtime)
    for old in by_use[:-KEPT]:
        gone = old.rename(old.with_name(f"{UNFINISHED}{old.name}"))
        shutil.rmtree(gone, ignore_errors=True)


def _too_long() -> None:
    print(f"it took longer than {LONGEST_S} s", file=sys.stderr, flush=True)
    os.killpg(0, signal.SIGKILL)


def _end_with_parent() -> None:
    """The parent holds the other end of the standard input, and writes nothing."""
    os.read(sys.stdin.fileno(), 1)  # a buffered read would hold a lock that the end of the interpreter wants
    os.killpg(0, signal.SIGKILL)  # a compiler may be at work


if __name__ == "__main__":
    sys.exit(main())
