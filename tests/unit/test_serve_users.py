"""Who may log in to the HTTP service: passwords as they are kept, roles, and the file that says so."""

import hashlib
import json
import stat
from pathlib import Path
from typing import Any, get_args

import pytest

from command_line import run
from groundcam_runtime.redaction import redact
from groundcam_runtime.settings import SettingError
from groundcam_serve import passwords, user_file, watched_file
from groundcam_serve.keys import SCOPES
from groundcam_serve.passwords import NOBODYS, hash_in, kept, too_weak
from groundcam_serve.user_file import UserFile, load, save
from groundcam_serve.users import ROLES, SCOPES_OF, Role, hash_of, no_users, read_users, user_of, written

PASSWORD = "correct horse battery"
SALT, DIGEST = "c2FsdHNhbHRzYWx0c2FsdA", "A" * 43


@pytest.fixture(autouse=True)
def _cheaper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "N", 2**14)
    monkeypatch.setattr(passwords, "P", 1)


def test_a_password_is_kept_as_scrypt_makes_it_of_other_libraries_too() -> None:
    text = kept(PASSWORD)
    name, n, r, p, salt, digest = text.split("$")
    assert (name, n, r, p) == ("scrypt", "16384", "8", "1")
    assert PASSWORD not in text
    assert kept(PASSWORD) != text, "the salt is its own"
    one = hash_in(text)
    assert one.digest == hashlib.scrypt(PASSWORD.encode(), salt=one.salt, n=2**14, r=8, p=1, dklen=32, maxmem=2**26)
    assert (len(salt), len(digest)) == (22, 43)
    assert one.fits(PASSWORD)
    for wrong in ("", PASSWORD[:-1], PASSWORD + " ", PASSWORD.upper(), text, "\udcff"):
        assert not one.fits(wrong)


def test_a_password_is_the_same_however_a_keyboard_makes_its_accents() -> None:
    assert hash_in(kept("gru\u0308ne A\u0308pfel im Garten")).fits("gr\u00fcne \u00c4pfel im Garten")


def test_new_passwords_cost_what_owasp_asks_for() -> None:
    """Its table for scrypt has N = 2^15 with p = 3; the fixture of these tests makes them cheaper."""
    assert (NOBODYS.n, NOBODYS.r, NOBODYS.p) == (2**15, 8, 3)
    assert not NOBODYS.fits("")


@pytest.mark.parametrize(
    "text",
    [
        "", "hunter2", f"bcrypt$16384$8$1${SALT}${DIGEST}", f"scrypt$16384$8$1${SALT}", f"scrypt$1$8$1${SALT}${DIGEST}",
        f"scrypt$16385$8$1${SALT}${DIGEST}", f"scrypt$16384$1$1${SALT}${DIGEST}", f"scrypt$16384$8$0${SALT}${DIGEST}",
        f"scrypt$16384$8$17${SALT}${DIGEST}", f"scrypt$4194304$8$1${SALT}${DIGEST}",
        f"scrypt$262144$8$16${SALT}${DIGEST}", f"scrypt${'9' * 5000}$8$1${SALT}${DIGEST}",
        f"scrypt$-16384$8$1${SALT}${DIGEST}", f"scrypt$16384$8$1$AAAA${DIGEST}", f"scrypt$16384$8$1${SALT}$AAAA",
        f"scrypt$16384$8$1$%%%${DIGEST}", f"scrypt$٣$8$1${SALT}${DIGEST}", f"scrypt$16384$8$1${'A' * 200}${DIGEST}",
    ],
)  # fmt: skip
def test_what_is_no_kept_password_or_would_cost_too_much_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(it is not like|N|SALT)") as refused:
        hash_in(text)
    for secret in ("hunter2", DIGEST, SALT):
        assert secret not in str(refused.value)
    with pytest.raises(ValueError, match=r"^users\.0\.password: ") as refused:
        read_users(json.dumps({"session_key": "5e" * 32, "users": [{"name": "a", "password": text, "role": "viewer"}]}))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("password", "says"),
    [("a" * 11, "12 to 1024"), ("a" * 1025, "12 to 1024"), ("abcdabcdabcdabcd", "5 different"), (PASSWORD, None)],
)
def test_a_password_that_is_short_or_monotonous_may_not_be_chosen(password: str, says: str | None) -> None:
    why = too_weak(password)
    assert (why is None) == (says is None)
    assert says is None or says in (why or "")


def test_roles_hold_more_and_more_and_the_highest_may_everything() -> None:
    assert get_args(Role) == ROLES == tuple(SCOPES_OF)
    viewer, operator, admin = (set(SCOPES_OF[role]) for role in ROLES)
    assert viewer == {"read", "cameras"}
    assert operator - viewer == {"detect", "ask"}
    assert admin - operator == {"models"}
    assert admin == set(SCOPES)


def test_a_user_is_a_key_of_this_name_these_scopes_and_these_cameras() -> None:
    key = user_of("anna", kept(PASSWORD), "operator", ("gate",)).key
    assert (key.name, key.scopes, key.cameras) == ("anna", SCOPES_OF["operator"], ("gate",))
    assert (key.may("ask"), key.may("models"), key.may_see("yard")) == (True, False, False)


def users(**changes: Any) -> str:
    entry = {"name": "anna", "password": kept(PASSWORD), "role": "viewer", **changes}
    return json.dumps({"session_key": "5e" * 32, "users": [entry]})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ""}, "name"), ({"name": "a\nb"}, "name"), ({"name": " a"}, "name"), ({"name": "a" * 101}, "name"),
        ({"role": "boss"}, "role"), ({"cameras": ["a/b"]}, "cameras"), ({"colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_a_bad_entry_is_named_by_its_field_and_shows_no_password(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=rf"^users\.0\.{says}") as refused:
        read_users(users(**changes))
    assert "scrypt" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["users: [", "", "- a", "users: []", "session_key: abc", f"session_key: {'5E' * 32}", "a: 1"]
)
def test_a_file_that_is_no_list_of_users_is_refused_and_shows_no_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(users|session_key|it is|a)\b") as refused:
        read_users(text)
    assert "5E5E" not in str(refused.value)


def test_two_users_of_one_name_are_refused_also_where_it_is_written_in_two_ways() -> None:
    one = json.loads(users(name="J\u00fcrgen"))
    one["users"].append({**one["users"][0], "name": "Ju\u0308rgen"})
    with pytest.raises(ValueError, match="is there twice"):
        read_users(json.dumps(one))


def test_what_is_shown_of_users_has_no_secret() -> None:
    said = repr(read_users(users()))
    assert "anna" in said
    assert "scrypt" not in said
    assert "5e5e" not in said


def test_a_file_is_written_as_it_is_read_and_entries_change_one_by_one() -> None:
    anna, bert = (user_of(name, kept(PASSWORD), "viewer", None) for name in ("anna", "bert"))
    both = no_users().changed("anna", anna).changed("bert", bert)
    assert read_users(written(both)) == both
    assert both.changed("anna", None).users == (bert,)
    assert both.changed("anna", anna.model_copy(update={"role": "admin"})).users[0].role == "admin"
    assert len({no_users().session_key for _ in range(10)}) == 10


def test_a_file_is_replaced_in_one_step_for_its_owner_alone_and_a_link_stays_one(tmp_path: Path) -> None:
    path, link = tmp_path / "users.yaml", tmp_path / "link.yaml"
    save(path, no_users())
    path.chmod(0o644)
    link.symlink_to(path)
    with_one = no_users().changed("anna", user_of("anna", kept(PASSWORD), "admin", None))
    save(link, with_one)
    assert link.is_symlink()
    assert load(link) == with_one
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link.yaml", "users.yaml"]


def test_a_file_that_cannot_be_replaced_stays_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users.yaml"
    save(path, no_users())
    before = path.read_bytes()
    monkeypatch.setattr(user_file, "written", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(path, no_users())
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (before, [path])


def test_a_change_of_the_file_holds_and_a_broken_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watched_file, "LOOK_S", 0.0)
    path = tmp_path / "users.yaml"
    save(path, no_users())
    users = UserFile(path)
    assert users.now is not None
    assert users.now.users == ()
    with_one = users.now.changed("anna", user_of("anna", kept(PASSWORD), "admin", None))
    save(path, with_one)
    assert users.now == with_one
    for broken in (b"\xff\xfe", b"session_key: hunter2"):
        path.write_bytes(broken)
        assert users.now == with_one
    path.unlink()
    assert users.now == with_one
    assert "serve.users_file" in caplog.text
    assert "hunter2" not in caplog.text
    assert redact(f"it is {with_one.session_key}") == "it is ***", "it is in no log from now on"


@pytest.mark.parametrize("text", [None, "users: ["])
def test_a_file_that_cannot_be_read_at_the_start_is_named(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "users.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingError, match=r"^serve\.users_file: .*users\.yaml: "):
        UserFile(path)


def test_an_unknown_users_password_is_compared_with_one_that_costs_as_much() -> None:
    assert hash_of(None) is NOBODYS


def test_people_are_added_listed_changed_and_removed_on_the_command_line(tmp_path: Path) -> None:
    path = str(tmp_path / "users.yaml")
    add = ("users", "add", "anna", "--role", "operator", "--camera", "gate", "--file", path, "--password-stdin")
    done = run(*add, given=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    before = load(Path(path))
    assert before.users[0].key.cameras == ("gate",)
    assert hash_in(before.users[0].password).fits(PASSWORD)
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    again = run(*add, given=f"{PASSWORD}\n")
    assert (again.returncode, "already" in again.stderr) == (2, True)
    listed = run("users", "list", "--file", path)
    assert listed.stdout.splitlines()[1].split() == ["anna", "operator", "gate"]
    other = run("users", "password", "anna", "--file", path, "--password-stdin", given="another long word\n")
    assert other.returncode == 0, other.stderr
    after = load(Path(path))
    assert hash_in(after.users[0].password).fits("another long word")
    assert after.session_key == before.session_key
    assert run("users", "remove", "anna", "--file", path).returncode == 0
    assert load(Path(path)).users == ()
    for said in (done, again, listed, other):
        assert PASSWORD not in said.stdout + said.stderr
        assert "scrypt" not in said.stdout + said.stderr


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (["add", "anna", "--password-stdin"], "short\n", "12 to 1024 characters"),
        (["add", "anna"], "", "--password-stdin"),
        (["add", "anna", "--role", "boss", "--password-stdin"], PASSWORD, "--role is one of viewer, operator, admin"),
        (["add", "anna", "--camera", "a/b", "--password-stdin"], PASSWORD, "cameras"),
        (["add", "an\tna", "--password-stdin"], PASSWORD, "a name has 1 to 100 characters"),
        (["remove", "anna"], "", "there is no file"),
    ],
)
def test_what_is_wrong_with_a_command_is_one_sentence(
    tmp_path: Path, arguments: list[str], given: str, says: str
) -> None:
    done = run("users", *arguments, "--file", str(tmp_path / "users.yaml"), given=given)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert says in done.stderr
    assert PASSWORD not in done.stderr
    assert not list(tmp_path.iterdir())
