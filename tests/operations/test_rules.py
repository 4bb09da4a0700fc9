"""The alert rules fire on their fault, keep quiet on the healthy twin, and clear: by promtool, in invented time."""

import re
import subprocess
from pathlib import Path

import pytest

import alert_rules
from prometheus_server import MISSING, REASON

pytestmark = [pytest.mark.operations, pytest.mark.skipif(bool(MISSING), reason=REASON)]

TESTS = sorted((Path(__file__).parent / "rules").glob("*.yaml"))


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120)


def judged(rules: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run all of the rules' tests on other rules."""
    (folder / "rules.yaml").write_text(rules)
    for test in TESTS:
        text = test.read_text().replace("../../../helm/groundcam/rules/groundcam.yaml", "rules.yaml")
        (folder / test.name).write_text(text)
    return promtool("test", "rules", *(folder / test.name for test in TESTS))


def test_the_rules_are_valid() -> None:
    done = promtool("check", "rules", alert_rules.PATH)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shortened_rules_are_valid_and_keep_their_thresholds(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(alert_rules.shortened())
    done = promtool("check", "rules", tmp_path / "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    quick = {rule["alert"]: rule for rule in alert_rules.rules(alert_rules.shortened())}
    assert quick["GroundcamDeadLetters"]["expr"].count("45s") == 3
    assert quick["GroundcamNoWorker"]["for"] == "5s"
    assert quick["GroundcamKafkaSilent"] | {"for": "1m"} == next(
        rule for rule in alert_rules.rules() if rule["alert"] == "GroundcamKafkaSilent"
    )


@pytest.mark.parametrize("test", TESTS, ids=lambda path: path.stem)
def test_each_alert_fires_keeps_quiet_and_clears(test: Path) -> None:
    done = promtool("test", "rules", test)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("wrong", "told"),
    [("never fires", "exp"), ("fires always", "got"), ("fires at once", "got")],
)
def test_rules_that_were_broken_fail_their_tests(wrong: str, told: str, tmp_path: Path) -> None:
    """Otherwise the tests above would prove nothing. All rules at once: promtool goes on after a failure."""
    at_once = {rule["alert"] for rule in alert_rules.rules() if "for" not in rule}

    def spoil(rule: alert_rules.Rule) -> None:
        if wrong == "never fires":
            rule["expr"] = f"({rule['expr']}) and on () (vector(0) > 1)"
        elif wrong == "fires always":
            rule["expr"] = f"({rule['expr']}) or vector(1)"
        else:
            rule.pop("for", None)

    done = judged(alert_rules.changed(spoil), tmp_path)
    assert done.returncode != 0, "the tests did not notice"
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip().startswith(f"{told}:")]
    noticed = set(re.findall(r'alertname="(\w+)"', " ".join(lines)))
    assert noticed == set(alert_rules.names()) - (at_once if wrong == "fires at once" else set())
