"""What wheels hold is seen, and what nobody has looked at is a finding."""

import json
import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from supply_chain import licence_audit, notice, sbom, vendored
from supply_chain.errors import FindingError, UnavailableError
from supply_chain.expressions import joined, parse, taken
from supply_chain.inventory import closure, read_wheels
from supply_chain.knowledge import read_knowledge
from supply_chain.licence_audit import findings
from wheels import ELF, install

KNOWLEDGE = read_knowledge()


def found(folder: Path) -> list[str]:
    return list(findings(read_wheels([folder], KNOWLEDGE).values(), KNOWLEDGE))


def test_a_package_under_a_permitted_licence_is_no_finding(tmp_path: Path) -> None:
    install(tmp_path, "fine", files={"fine/__init__.py": b"", "fine/_c.cpython-312-x86_64-linux-gnu.so": ELF})
    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ("License-Expression: GPL-3.0-only", "GPL-3.0-only"),
        ("License-Expression: MIT AND (SSPL-1.0 OR AGPL-3.0-only)", "SSPL-1.0"),
        ("License: BSD", "no licence beyond doubt"),
        ("Classifier: License :: OSI Approved :: GNU General Public License v2 (GPLv2)", "no licence beyond doubt"),
        ("Summary: it says nothing", "no licence beyond doubt"),
    ],
)
def test_a_licence_that_nobody_has_looked_at_is_a_finding(tmp_path: Path, metadata: str, words: str) -> None:
    install(tmp_path, "odd", metadata=metadata)
    (one,) = found(tmp_path)
    assert "odd 1.0" in one
    assert words in one


def test_a_licence_is_accepted_only_in_the_wheels_that_are_named(tmp_path: Path) -> None:
    """x264 is known in PyAV's wheel, and a finding in any other."""
    install(tmp_path, "av", files={"av.libs/libx264-1.so": ELF})
    install(tmp_path, "other", files={"other.libs/libx264-1.so": ELF})
    (one,) = found(tmp_path)
    assert one.startswith("x264 in other 1.0 is under GPL-2.0-or-later")


@pytest.mark.parametrize("path", ["odd.libs/libnew-1.so.3", "odd/bin/tool", "odd/data/kernel.bc", "odd/tool.exe"])
def test_a_compiled_file_that_nothing_explains_is_a_finding(tmp_path: Path, path: str) -> None:
    install(tmp_path, "odd", files={path: {".bc": b"BC\xc0\xde", ".exe": b"MZ\x90\0"}.get(Path(path).suffix, ELF)})
    (one,) = found(tmp_path)
    assert one == f"odd 1.0 holds the compiled file {path}, which components.toml does not explain"


def test_what_a_wheels_own_bill_states_is_part_of_it_unless_it_may_have_been_left_out(tmp_path: Path) -> None:
    bill = [
        {"type": "library", "name": "crate", "version": "1", "purl": "pkg:cargo/crate@1", "licenses": [{"expression": "GPL-1.0-only"}]},
        {"type": "library", "name": "left-out", "scope": "optional", "licenses": [{"license": {"id": "GPL-1.0-only"}}]},
        {"type": "library", "name": "odd", "version": "1.0", "purl": "pkg:pypi/odd@1.0"},
    ]  # fmt: skip
    install(tmp_path, "odd", bill=bill)
    (one,) = found(tmp_path)
    assert one.startswith("crate in odd 1.0 is under GPL-1.0-only")


def test_a_package_inside_a_package_is_part_of_it(tmp_path: Path) -> None:
    inner = b"Metadata-Version: 2.1\nName: inner\nVersion: 2\nLicense-Expression: AGPL-3.0-only\n"
    install(tmp_path, "odd", files={"odd/_vendor/inner-2.dist-info/METADATA": inner})
    (one,) = found(tmp_path)
    assert one.startswith("inner in odd 1.0 is under AGPL-3.0-only")


def test_what_is_linked_into_a_module_is_seen_by_its_bytes(tmp_path: Path) -> None:
    module = "simplejpeg/_jpeg.cpython-312-x86_64-linux-gnu.so"
    install(tmp_path, "simplejpeg", files={module: ELF + b"libjpeg-turbo version 3"})
    (part,) = read_wheels([tmp_path], KNOWLEDGE)["simplejpeg"].parts  # type: ignore[index]
    assert (part.name, part.proof) == ("libjpeg-turbo", "bytes")


def test_only_what_is_asked_for_is_in_a_closure(tmp_path: Path) -> None:
    asks = "Provides-Extra: big\nRequires-Dist: small\nRequires-Dist: large; extra == 'big'\nRequires-Dist: dos; os_name == 'nt'"
    install(tmp_path, "top", metadata=asks)
    for name in ("small", "large", "dos", "stranger"):
        install(tmp_path, name)
    wheels = read_wheels([tmp_path], KNOWLEDGE)
    assert list(closure(wheels, "top", ())) == ["small", "top"]
    assert list(closure(wheels, "top", ("big",))) == ["large", "small", "top"]


def test_what_is_not_installed_is_told_and_neither_looked_at_nor_written(tmp_path: Path) -> None:
    """A check that could not be made is no pass, and a NOTICE of nothing no NOTICE."""
    folder = tmp_path / "packages"
    folder.mkdir()
    for name in ("groundcam", None):
        with pytest.raises(UnavailableError, match="not installed, so what it holds cannot be looked at"):
            licence_audit.main(["--packages", str(folder)])
        with pytest.raises(UnavailableError, match="not installed"):
            notice.written(folder, KNOWLEDGE, (notice.ROOT / "Dockerfile").read_text())
        if name:
            install(folder, name, metadata="License-Expression: Apache-2.0\nRequires-Dist: numpy")


def test_a_package_that_does_not_say_what_it_holds_is_a_finding(tmp_path: Path) -> None:
    install(tmp_path, "odd")
    (record,) = tmp_path.glob("odd-*.dist-info/RECORD")
    record.unlink()
    assert found(tmp_path) == ["odd 1.0 says nowhere which files it has (RECORD): what it holds is not known"]


@pytest.mark.parametrize(
    ("expression", "licences"),
    [
        ("MIT", {"MIT"}),
        ("MIT AND Zlib", {"MIT", "Zlib"}),
        ("GPL-2.0-only OR MIT", {"MIT"}),
        ("GPL-2.0-only OR AGPL-3.0-only", {"GPL-2.0-only"}),
        ("(MIT OR GPL-2.0-only) AND Apache-2.0 WITH LLVM-exception", {"MIT", "Apache-2.0 WITH LLVM-exception"}),
    ],
)
def test_of_several_offered_licences_a_permitted_one_is_taken(expression: str, licences: set[str]) -> None:
    assert taken(expression, KNOWLEDGE.permitted.__contains__) == licences


@pytest.mark.parametrize("expression", ["", "MIT AND", "(MIT", "MIT OR OR Zlib"])
def test_what_is_no_licence_expression_is_told(expression: str) -> None:
    with pytest.raises(FindingError, match="expression"):
        parse(expression)


def test_a_label_has_every_licence_once_in_order() -> None:
    assert joined(["Zlib", "MIT", "LicenseRef-base-image", "MIT"]) == "MIT AND Zlib AND LicenseRef-base-image"


@pytest.mark.skipif(
    (platform.system(), platform.machine()) != notice.MADE_ON, reason="NOTICE is of Linux x86-64 wheels"
)
def test_the_notice_and_the_labels_say_what_the_installed_wheels_hold() -> None:
    """Every package and bundled component that is seen has its line; x264, which its wheel keeps quiet about, too."""
    assert "as before" in notice.main(["--check"])
    text = (notice.ROOT / "NOTICE").read_text()
    assert "    x264: GPL-2.0-or-later (libx264" in text
    assert "nvidia-cublas" in text


VENDOR = Path("serve/groundcam_serve/console/static/vendor")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What the console has of others, in a tree of its own; the folder."""
    return Path(shutil.copytree(notice.ROOT / VENDOR, tmp_path / VENDOR))


def test_what_lies_in_our_own_wheel_is_named_with_its_licence_and_is_what_it_was(tree: Path) -> None:
    assert list(vendored.findings(KNOWLEDGE)) == list(vendored.findings(KNOWLEDGE, tree.parents[4])) == []
    told = [str(one) for one in vendored.vendored()]
    assert told == ["groundcam_serve/console/static/vendor/htm-preact.js: htm 3.1.1 (Apache-2.0), preact 10 (MIT)"]
    text = (notice.ROOT / "NOTICE").read_text()
    assert all(one in " ".join(text.split()) for one in told)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda folder: (folder / "other.js").write_text("x"), "other.js is of somebody else"),
        (lambda folder: (folder / "LICENSE-htm").unlink(), "names LICENSE-htm, which is not there"),
        (lambda folder: (folder / "htm-preact.js").unlink(), "names htm-preact.js, which is not there"),
        (lambda folder: (folder / "htm-preact.js").write_text("x"), "is not the file"),
        (lambda folder: (folder / "manifest.json").unlink(), "htm-preact.js is of somebody else"),
        (lambda folder: _said(folder, licence="GPL-3.0-only"), "is under GPL-3.0-only"),
        (lambda folder: _said(folder, name="vue"), "vue 3.1.1 in groundcam_serve/console"),
    ],
)
def test_what_nobody_has_looked_at_in_our_own_wheel_is_a_finding(
    tree: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(tree)
    assert any(words in one for one in vendored.findings(KNOWLEDGE, tree.parents[4]))


def _said(folder: Path, **changed: str) -> None:
    """Say something else of the first part in the manifest."""
    (one,) = json.loads((folder / vendored.MANIFEST).read_text())
    one["parts"][0] |= changed
    (folder / vendored.MANIFEST).write_text(json.dumps([one]))


def test_an_images_bill_has_what_lies_in_our_own_wheel(tmp_path: Path) -> None:
    (one,) = vendored.vendored()
    install(tmp_path, "groundcam", files={one.wheel_path: one.path.read_bytes()})
    parts = read_wheels([tmp_path], KNOWLEDGE)["groundcam"].parts  # type: ignore[index]
    assert [(part.name, part.licence) for part in parts] == [("htm", "Apache-2.0"), ("preact", "MIT")]
    assert sbom.looked_into(KNOWLEDGE, f"app/{one.wheel_path}")


def test_a_label_is_written_into_its_own_stage_and_a_missing_one_is_told() -> None:
    text = (notice.ROOT / "Dockerfile").read_text()
    changed = notice.labelled(text, {"producer": "MIT", "worker": "Zlib"})
    producer, worker = changed.split("FROM final AS worker")
    assert 'licenses="MIT"' in producer
    assert 'licenses="Zlib"' in worker
    with pytest.raises(FindingError, match="stage worker has no label"):
        notice.labelled(text.replace("FROM final AS worker", "FROM final AS other"), {"worker": "MIT"})
