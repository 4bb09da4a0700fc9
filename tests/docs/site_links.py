"""What a built site links to, loads and shows, from its HTML alone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""Tags that a browser loads something for; `link` only where `rel` is one of these."""
RELATIONS = {"stylesheet", "icon", "preload", "preconnect", "prefetch", "modulepreload", "manifest"}


@dataclass
class Page(HTMLParser):
    """The ids of a page, where it leads, and what it loads."""

    text: str
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in LOADS and LOADS[tag] in given and (tag != "link" or RELATIONS & set(given.get("rel", "").split())):
            self.loads.append(given[LOADS[tag]])


def read(folder: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text()) for path in sorted(folder.rglob("*.html")) if path.name != "404.html"}


def is_foreign(address: str) -> bool:
    return "://" in address or address.startswith("//")


def broken(pages: dict[Path, Page]) -> Iterator[str]:
    """Each link to a file or an id that is not there, and each thing that is not there or comes from another host."""
    for path, page in pages.items():
        for address in page.loads:
            if is_foreign(address) or not (path.parent / unquote(address)).is_file():
                yield f"{path}: loads {address}"
        for link in page.links:
            if is_foreign(link) or link.startswith(("mailto:", "javascript:")):
                continue
            name, anchor = urldefrag(link)
            target = (path.parent / unquote(name)).resolve() if name else path
            if not target.is_file():
                yield f"{path}: {link} is not there"
            elif anchor and target in pages and unquote(anchor) not in pages[target].ids:
                yield f"{path}: {link} is no section"
