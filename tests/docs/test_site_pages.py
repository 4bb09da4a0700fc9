"""The documents' site in a real browser: readable on a screen and on a phone, and searched."""

from importlib.resources import files

import pytest

from browser import PHONE, WIDE, Open

PAGES = ["index.html", "docs/settings.html", "contract/index.html"]
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


@pytest.mark.parametrize(("size", "scheme"), [(WIDE, "light"), (PHONE, "dark"), (PHONE, "light")])
def test_pages_fit_the_screen_keep_the_rules_of_wcag_and_ask_no_other_host(
    tab: Open, address: str, size: tuple[int, int], scheme: str
) -> None:
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text()
    with tab(address, size, color_scheme=scheme) as shown:
        asked: list[str] = []
        shown.page.on("request", lambda request: asked.append(request.url))
        for name in PAGES:
            shown.page.goto(f"{address}/{name}")
            assert shown.read("document.documentElement.scrollWidth <= innerWidth"), name
            shown.page.evaluate(axe)
            found = shown.read("rules => axe.run(document, rules)", RULES)["violations"]
            serious = [
                (one["id"], one["nodes"][0]["target"]) for one in found if one["impact"] in {"serious", "critical"}
            ]
            assert not serious, f"{name}: {serious}"
            shown.shoot(f"site-{name.replace('/', '-')}-{size[0]}-{scheme}")
        assert [url for url in asked if not url.startswith((address, "blob:", "data:"))] == []


def test_what_is_searched_is_found(tab: Open, address: str) -> None:
    with tab(address) as shown:
        shown.page.goto(f"{address}/index.html")
        shown.page.get_by_placeholder("Search").press_sequentially("max_age_s")  # it listens to keys
        shown.page.locator(".md-search-result__item a[href*='docs/settings.html']").first.wait_for()
