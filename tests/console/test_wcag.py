"""Every page against the rules of WCAG 2.2 AA that a program can check (axe-core), in light and dark, wide and on a phone."""

from importlib.resources import files

import pytest

from browser import PHONE, WIDE, Open, Stack

pytestmark = pytest.mark.broker

NOT_THERE = ("404",)
"""Of what a camera has not, such as zones, the browser itself complains."""
PAGES = {
    "#/": ".tile", "#/camera/gate": ".player .figures", "#/camera/gate/question": "form.question",
    "#/camera/gate/zones": "button:text('New zone')", "#/camera/gate/events": "form.filter", "#/events": "h1:text('Events')",
    "#/question": "h1:text('Question for all cameras')", "#/serve": "h1:text('Serve')", "#/health": "h1:text('Health')",
    "#/nosuch": "h1:text('no such page')",
}  # fmt: skip
"""Each with something that the one before has not."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_no_page_breaks_a_rule_of_wcag_that_a_program_can_check(
    site: Stack, tab: Open, size: tuple[int, int], scheme: str
) -> None:
    script = files("axe_playwright_python").joinpath("axe.min.js").read_text()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    with tab(site.address, size, NOT_THERE, color_scheme=scheme, bypass_csp=True) as shown:
        for place, own in PAGES.items():
            shown.go(place)
            shown.page.locator(f"main {own}").first.wait_for()
            shown.page.wait_for_timeout(700)
            if "zones" in place:
                shown.page.get_by_role("button", name="New zone").click()
            elif place == "#/":
                shown.page.get_by_role("button", name="New group").click()
                shown.page.get_by_role("button", name="gate: into this group").click()
            width = shown.read("() => document.documentElement.scrollWidth")
            assert width <= size[0], f"something of {place} is beside the screen"
            shown.read(script)
            found = shown.read("rules => axe.run(document, rules)", rules)["violations"]
            told = [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"]]) for one in found]
            assert not told, (place, told)
            shown.shoot(f"{place.strip('#/').replace('/', '-') or 'wall'}-{size[0]}-{scheme}")
