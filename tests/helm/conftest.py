"""Every test here renders the chart; where nothing can, each is skipped with the reason."""

from pathlib import Path

import pytest

from helm import chart

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = chart.missing()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.helm)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))
