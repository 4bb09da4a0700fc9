"""The API's description as a page: plain HTML, without scripts, and nothing from elsewhere."""

import html
import json
from collections.abc import Iterator
from typing import Any

STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem } code, pre { font: 0.9em ui-monospace, monospace }
pre { overflow-x: auto; padding: 0.8rem; border: 1px solid #8884; border-radius: 6px }
details { border: 1px solid #8884; border-radius: 6px; padding: 0.6rem 0.9rem; margin: 0.6rem 0 }
summary { cursor: pointer } summary b { display: inline-block; min-width: 4.5rem }
table { border-collapse: collapse; margin: 0.5rem 0 }
td, th { text-align: left; padding: 0.15rem 1rem 0.15rem 0; vertical-align: top }
"""
EXAMPLE = "curl --data-binary @picture.jpg 'http://127.0.0.1:8000/v1/detect?question=person,forklift'"


def docs_page(described: dict[str, Any]) -> str:
    """Return the page."""
    title = html.escape(f"{described['info']['title']} {described['info']['version']}")
    groups: dict[str, list[str]] = {}
    for path, operations in described["paths"].items():
        for method, one in operations.items():
            groups.setdefault(one.get("tags", ["others"])[0], []).append("".join(_operation(path, method, one)))
    body = "".join(f"<h2>{html.escape(name)}</h2>{''.join(some)}" for name, some in groups.items())
    schemas = "".join(
        f"<details><summary><code>{html.escape(name)}</code></summary><pre>{_json(schema)}</pre></details>"
        for name, schema in sorted(described["components"]["schemas"].items())
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style><h1>{title}</h1>'
        f"<p>{html.escape(described['info'].get('summary', ''))} The same for programs: "
        f'<a href="/openapi.json">openapi.json</a>.</p><pre>{html.escape(EXAMPLE)}</pre>'
        f"{body}<h2>Schemas</h2>{schemas}</html>"
    )


def _operation(path: str, method: str, one: dict[str, Any]) -> Iterator[str]:
    yield f"<details><summary><b>{method.upper()}</b> <code>{html.escape(path)}</code></summary>"
    yield f"<p>{html.escape(one.get('description', ''))}</p>"
    if parameters := one.get("parameters"):
        yield "<table><tr><th>parameter<th>in<th>type"
        for each in parameters:
            name = f"<code>{html.escape(each['name'])}</code>"
            yield f"<tr><td>{name}<td>{each['in']}<td><code>{_json(each['schema'], indent=None)}</code>"
        yield "</table>"
    for kind, content in one.get("requestBody", {}).get("content", {}).items():
        yield f"<p>Body <code>{html.escape(kind)}</code></p><pre>{_json(content.get('schema', {}))}</pre>"
    yield "<table><tr><th>status<th>meaning"
    for status, answer in sorted(one["responses"].items()):
        yield f"<tr><td>{status}<td>{html.escape(answer['description'])}"
    yield "</table></details>"


def _json(value: object, indent: int | None = 1) -> str:
    return html.escape(json.dumps(value, indent=indent, ensure_ascii=False))
