"""The alert that the documents give as an example fires and clears, by promtool, in invented time."""

import re
from pathlib import Path

import pytest

import alert_rules
from prometheus_server import MISSING, REASON
from test_rules import promtool

pytestmark = [pytest.mark.operations, pytest.mark.skipif(bool(MISSING), reason=REASON)]

STORY = """
rule_files: [rules.yaml]
evaluation_interval: 15s
tests:
  - interval: 15s
    input_series:
      # Nobody for two minutes, a person in three frames, nobody again; a dog and another camera's person do not count.
      - series: groundcam_objects_total{camera="gate", label="person", instance="w1"}
        values: 0x8 1 2 3x20
      - series: groundcam_objects_total{camera="gate", label="dog", instance="w1"}
        values: 0+1x30
      - series: groundcam_objects_total{camera="yard", label="person", instance="w1"}
        values: 0+1x30
    alert_rule_test:
      - {alertname: PersonAtTheGate, eval_time: 2m}
      - alertname: PersonAtTheGate
        eval_time: 2m30s
        exp_alerts:
          - exp_labels: {severity: warning, camera: gate, label: person}
            exp_annotations: {summary: person at gate}
      - {alertname: PersonAtTheGate, eval_time: 4m}
"""


def test_a_person_at_the_gate_fires_and_clears_and_nothing_else_does(tmp_path: Path) -> None:
    document = (alert_rules.ROOT / "docs/alerts.md").read_text()
    (example,) = re.findall(r"^```yaml\n(.*?)^```", document, re.DOTALL | re.MULTILINE)
    (tmp_path / "rules.yaml").write_text(example)
    (tmp_path / "story.yaml").write_text(STORY)
    done = promtool("test", "rules", tmp_path / "story.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
