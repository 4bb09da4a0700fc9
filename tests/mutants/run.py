"""Mutation tests: change one thing in the code that decides, and see whether a test notices. See README.md beside this.

python tests/mutants/run.py [ROOM ...] [--anew] [--survivors]
"""

import argparse
import ast
import contextlib
import hashlib
import importlib
import json
import os
import shutil
import sqlite3
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cosmic_ray.commands
import cosmic_ray.modules
import cosmic_ray.plugins
import forked_tests
from cosmic_ray.mutating import MutationVisitor, use_mutation
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult
from left_out import File

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRATCH = ROOT / "build" / "mutants"
SOURCES = ("schemas", "runtime", "producers", "worker", ".")
COPIED = (*SOURCES[:-1], "groundcam", "tests", "pyproject.toml")
ENVIRONMENT = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "GROUNDCAM_TEST_SEED": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
LISTED = HERE / "SURVIVORS.md"
RULES = Path(__file__).with_name("left_out.py").relative_to(ROOT)
WANTED = 0.9
"""The share of a room's mutants that tests must kill."""
PATIENCE = 6
"""A mutant that takes so many times as long as the tests on the code as it is counts as killed: it runs for ever."""
LEAST_S = 20.0


@dataclass(frozen=True)
class Room:
    """Files that are mutated together, and the tests that must notice."""

    name: str
    modules: tuple[Path, ...]
    tests: tuple[str, ...]
    preload: tuple[str, ...]
    """What their tests import that takes long, and can be forked."""

    @property
    def tree(self) -> Path:
        return SCRATCH / self.name / "tree"

    @property
    def output(self) -> Path:
        return SCRATCH / self.name / "output.txt"

    def session(self, module: Path) -> Path:
        """Return the database of one file's mutants."""
        return SCRATCH / self.name / f"{module.stem}.sqlite"


def rooms() -> list[Room]:
    """Read rooms.toml; files and tests that are not there are left out."""
    found = []
    for name, room in tomllib.loads((HERE / "rooms.toml").read_text()).items():
        modules = set(cosmic_ray.modules.find_modules(Path(one) for one in room["modules"] if (ROOT / one).exists()))
        modules -= {Path(one) for one in room.get("without", ())}
        tests = tuple(one for one in room["tests"] if (ROOT / one).exists())
        found.append(Room(name, tuple(sorted(modules)), tests, tuple(room.get("preload", ()))))
    return found


def digest(paths: Iterable[Path | str]) -> str:
    """Say what these files do, whatever their comments and docstrings say of it."""
    content = hashlib.sha256()
    for path in paths:
        tree = ast.parse((ROOT / path).read_bytes())
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                node.body = [one for one in node.body if not is_text(one)]
        content.update(str(path).encode() + ast.dump(tree).encode())
    return content.hexdigest()


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is a docstring."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def copy(room: Room) -> None:
    """Copy what the tests need: the checkout itself is never changed, and an earlier run may have left a mutant here."""
    shutil.rmtree(room.tree, ignore_errors=True)
    room.tree.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, room.tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, room.tree / name)


def begin(room: Room, module: Path, *, anew: bool) -> None:
    """Make the list of a file's mutants, or take up the one that is there."""
    session = room.session(module)
    made_from = session.with_suffix(".json")
    now = {"code": digest([module, RULES]), "tests": digest(room.tests)}
    then = json.loads(made_from.read_text()) if made_from.exists() else {}
    if anew or then.get("code") != now["code"]:
        session.unlink(missing_ok=True)
        with use_db(session) as db:
            cosmic_ray.commands.init([module], db, {})
            leave_out(module, db)
    elif then["tests"] != now["tests"]:
        print(f"{room.name}: the tests have changed; what survived in {module.name} is tried again")
        with contextlib.closing(sqlite3.connect(session)) as db, db:
            db.execute("delete from work_results where test_outcome is not null and test_outcome <> 'KILLED'")
    made_from.write_text(json.dumps(now))


def leave_out(module: Path, db: WorkDB) -> None:
    """Mark the mutants that do not count."""
    source = module.read_text()
    file = File(source)
    for item in db.pending_work_items:
        (mutation,) = item.mutations
        try:
            mutated = mutant(source, mutation)
        except AttributeError:  # `except module.Error`: Cosmic Ray knows plain names alone
            mutated = None
        reason = file.reason(mutation.operator_name, mutation.start_pos, mutated)
        if reason is not None:
            db.set_result(item.job_id, WorkResult(WorkerOutcome.SKIPPED, output=reason))


def mutant(source: str, mutation: MutationSpec) -> str:
    """Return the file with the change in it."""
    operator = cosmic_ray.plugins.get_operator(mutation.operator_name)(**mutation.operator_args)
    mutated: str = MutationVisitor.mutate_code(source, operator, mutation.occurrence)
    return mutated


def work(room: Room) -> None:
    """Try every mutant that has not been tried. Raises SystemExit where the tests fail without a mutant."""
    for name in room.preload:
        importlib.import_module(name)
    started = time.monotonic()
    outcome = tested(room, 3600.0)
    seconds = time.monotonic() - started
    if outcome is not TestOutcome.SURVIVED:
        sys.exit(f"{room.name}: the tests fail on the code as it is\n{room.output.read_text()}")
    pending: list[tuple[Path, WorkItem]] = []
    for module in room.modules:
        with use_db(room.session(module)) as db:
            pending += [(module, item) for item in db.pending_work_items]
    print(f"{room.name}: {len(pending)} mutants to try; the tests take {seconds:.1f} s", flush=True)
    for count, (module, item) in enumerate(pending, 1):
        (mutation,) = item.mutations
        operator = cosmic_ray.plugins.get_operator(mutation.operator_name)(**mutation.operator_args)
        with use_mutation(mutation.module_path, operator, mutation.occurrence):
            outcome = tested(room, max(LEAST_S, PATIENCE * seconds))
        with use_db(room.session(module)) as db:
            db.set_result(item.job_id, WorkResult(WorkerOutcome.NORMAL, room.output.read_text()[-2000:], outcome))
        if count % 20 == 0:
            print(f"{room.name}: {count} of {len(pending)}", flush=True)


def tested(room: Room, limit_s: float) -> TestOutcome:
    """Run the room's tests."""
    outcome = forked_tests.run(room.tests, room.tree, SOURCES, room.output, limit_s)
    return TestOutcome.SURVIVED if outcome is forked_tests.Outcome.PASSED else TestOutcome.KILLED


def survivors(room: Room) -> Iterator[str]:
    """Yield the surviving mutants as the first columns of a table: file, line as it is, line as it was changed."""
    for module in room.modules:
        source = (room.tree / module).read_text()
        with use_db(room.session(module)) as db:
            found = [item.mutations[0] for item, result in db.completed_work_items if is_survivor(result)]
        for mutation in sorted(found, key=lambda one: (one.start_pos, one.operator_name, one.occurrence)):
            pairs = zip(source.split("\n"), mutant(source, mutation).split("\n"), strict=False)
            before, after = next(pair for pair in pairs if pair[0] != pair[1])
            if mutation.operator_name.endswith("RemoveDecorator"):
                before, after = f"the decorator of {mutation.definition_name}", "none"
            yield f"| `{module.name}` | `{cell(before)}` | `{cell(after)}` |"


def cell(line: str) -> str:
    """Write a line of code so that a table can hold it."""
    return " ".join(line.split()).replace("|", "\\|")


def is_survivor(result: WorkResult) -> bool:
    """Whether a mutant counts and was not killed."""
    return result.worker_outcome is not WorkerOutcome.SKIPPED and result.test_outcome is not TestOutcome.KILLED


def row(room: Room) -> tuple[str, float]:
    """Return the room's line of the table, and the share that was killed."""
    counts: Counter[str] = Counter()
    for module in room.modules:
        with use_db(room.session(module)) as db:
            for _, result in db.completed_work_items:
                is_skipped = result.worker_outcome is WorkerOutcome.SKIPPED
                counts["left out" if is_skipped else "survived" if is_survivor(result) else "killed"] += 1
    tried = counts["killed"] + counts["survived"]
    share = counts["killed"] / tried if tried else 1.0
    figures = (tried, counts["killed"], counts["survived"], counts["left out"], f"{share:.1%}")
    return f"| {room.name:10} | " + " | ".join(f"{figure!s:>8}" for figure in figures) + " |", share


COLUMNS = " | ".join(f"{one:>8}" for one in ("mutants", "killed", "survived", "left out", "share"))


def report(done: list[Room], *, show: bool) -> None:
    """Print the table and what survived. Raises SystemExit for a share that is too small, or an unexplained survivor."""
    print(f"| {'room':10} | {COLUMNS} |", "| --- " * 6 + "|", sep="\n")
    too_few = []
    for room in done:
        line, share = row(room)
        print(line)
        if share < WANTED:
            too_few.append(room.name)
    listed = LISTED.read_text() if LISTED.exists() else ""
    left = [one for room in done for one in survivors(room)]
    unexplained = [one for one in left if one not in listed]
    print(*(left if show else unexplained), sep="\n", flush=True)
    if too_few:
        sys.exit(f"fewer than {WANTED:.0%} killed: {', '.join(too_few)}")
    if unexplained:
        sys.exit(f"{len(unexplained)} survivors for which {LISTED.name} gives no reason: see above")


def main() -> None:
    """Run the rooms, one after the other."""
    parser = argparse.ArgumentParser(description="Mutation tests, room by room; a second call goes on.")
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help="only these (see rooms.toml)")
    parser.add_argument("--anew", action="store_true", help="forget what was tried before")
    parser.add_argument("--survivors", action="store_true", help="print every survivor, also those with a reason")
    chosen = parser.parse_args()
    os.chdir(ROOT)
    known = rooms()
    if unknown := set(chosen.rooms) - {room.name for room in known}:
        parser.error(f"there is no room {', '.join(sorted(unknown))}")
    asked = [room for room in known if not chosen.rooms or room.name in chosen.rooms]
    for room in asked:
        if not (room.modules and room.tests):
            print(f"{room.name}: its files or its tests are not there")
    os.nice(10)
    os.environ |= ENVIRONMENT
    done = [room for room in asked if room.modules and room.tests]
    for room in done:
        copy(room)
        os.chdir(room.tree)
        for module in room.modules:
            begin(room, module, anew=chosen.anew)
        work(room)
    report(done, show=chosen.survivors)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; a second call goes on")
