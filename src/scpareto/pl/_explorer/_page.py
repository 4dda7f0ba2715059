"""Write the explorer as one HTML page."""

from __future__ import annotations

import base64
import json
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

# The page may run its own code and show its own pictures; the browser blocks all network access. The scatter library
# compiles its drawing calls, which needs unsafe-eval.
_POLICY = "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; img-src data: blob:"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body class="sp-page">
<main id="scpareto-explorer">
<section class="sp-static">
<h1>{title}</h1>
<p class="sp-note">{note}</p>
{figures}
{table}
</section>
</main>
<script type="application/json" id="scpareto-explorer-header">{header}</script>
<script type="text/plain" id="scpareto-explorer-data">{data}</script>
<script type="module">{code}</script>
</body>
</html>
"""
_ALTERNATIVES = {
    "panels": "Cells at points along the front, one row of panels for each colouring.",
    "front": "The points of the front in their plane, and which is recommended.",
}


def static_file(name: str) -> str:
    """Read a file of the bundle.

    Parameters
    ----------
    name
        Name of the file.

    Returns
    -------
    Its text.
    """
    return (files(__package__) / "static" / name).read_text(encoding="utf-8")


def write_page(header: Mapping[str, Any], data: bytes, pictures: Mapping[str, str]) -> str:
    """Write one self-contained page.

    Parameters
    ----------
    header
        Plain values, as from :func:`pack`.
    data
        Compressed coordinates and colourings.
    pictures
        Addresses of the static pictures, by name.

    Returns
    -------
    The page, as HTML.
    """
    figures = [
        f'<figure><img data-picture="{name}" alt="{_ALTERNATIVES[name]}" src="{address}"></figure>'
        for name, address in pictures.items()
    ]
    return _PAGE.format(
        policy=escape(_POLICY),
        title=escape(str(header["title"])),
        note=escape(str(header["note"])),
        style=static_file("explorer.css"),
        figures="\n".join(figures),
        table=_table(header),
        header=as_json(header),
        data=base64.b64encode(data).decode(),
        code=static_file("explorer.js").replace("</script", "<\\/script"),
    )


def as_json(header: Mapping[str, Any]) -> str:
    """Write plain values as JSON that is safe inside a page, whatever names they contain.

    Parameters
    ----------
    header
        Plain values.

    Returns
    -------
    JSON without the character that could end a script.
    """
    return json.dumps(header, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _table(header: Mapping[str, Any]) -> str:
    metrics = header["metrics"]
    titles = "".join(f'<th scope="col">{escape(metric["title"])}</th>' for metric in metrics)
    rows = []
    for i, point in enumerate(header["points"]):
        values = "".join(f"<td>{_number(metric['values'][i], metric['digits'])}</td>" for metric in metrics)
        rows.append(f'<tr><th scope="row">{point["number"]} {escape(point["name"])}</th>{values}</tr>')
    return (
        '<table class="sp-table"><caption>Every point of the front</caption><thead><tr><th scope="col">point</th>'
        f"{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"
