"""Write a self-contained HTML report about judged embeddings."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any

from scpareto._runtime import write_atomically
from scpareto.cli._judge_report_methods import describe_versions, list_references, write_methods
from scpareto.cli._judge_report_tables import (
    make_condition_table,
    make_genes_table,
    make_lost_table,
    make_main_table,
    make_not_assessable_table,
    make_populations_table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pandas as pd

_STYLE = (
    "body{font:16px/1.55 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;"
    "background:#fff}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2.2rem;border-bottom:2px solid #eee}"
    "table{border-collapse:collapse;font-size:14px;display:block;overflow-x:auto;margin:.8rem 0}"
    "th,td{padding:.3rem .7rem;text-align:right;border-bottom:1px solid #ddd;vertical-align:top}"
    "th{font-weight:600;overflow-wrap:anywhere}td:not(.text){white-space:nowrap}td.text,th.text{text-align:left;min-width:5.5rem}"
    "img{max-width:100%}img.plane{max-width:30rem}"
    ".verdict{background:#f4f7fb;border-left:4px solid #0072b2;padding:.7rem 1rem}"
    ".verdict ul{margin:0;padding-left:1.1rem}"
    ".alarm{border-left-color:#d55e00;background:#fdf5ef}p.small{color:#555;font-size:14px}"
)


def write_report(path: Path, record: dict[str, Any], data: str, pictures: Mapping[str, Path]) -> None:
    """Write the page.

    Parameters
    ----------
    path
        The page.
    record
        Record of :func:`scpareto.tl.judge` in ``uns``.
    data
        Name of the judged file.
    pictures
        PNG files by name: ``judge`` and ``populations``, if they were drawn.
    """
    arguments = record["arguments"]
    alarm = bool(record["table"]["alarm"].any())
    parts = [
        f"<h1>Embeddings of {escape(data)}, judged</h1>",
        f'<div class="verdict{" alarm" if alarm else ""}">{_make_list(record["sentence"])}</div>',
        f"<p>Judged: {_describe_cells(arguments)} cells, batches by <code>{escape(arguments['batch_key'])}</code>.</p>",
        _image(pictures, "judge", "plane", record["sentence"]),
        "<h2>Numbers</h2>",
        _make_html_table(make_main_table(record["table"])),
        '<p class="small">Percentages with 95 % intervals. Batch left: 100 is uncorrected, 0 is well mixed. Structure '
        "kept: 100 is what a second measurement of the same cells would show.</p>",
        *_condition_section(record),
        *_genes_section(record),
        *_lost_section(record),
        "<h2>Population by population</h2>",
        f"<p>{escape(record['populations_sentence'])}</p>",
        _image(pictures, "populations", "", record["populations_sentence"]),
        _make_html_table(make_populations_table(record["populations"])),
        "<h2>Cells that cannot be assessed</h2><p>Cells of populations that no other batch has: their differences from "
        "other batches may be biology.</p>",
        _make_html_table(make_not_assessable_table(record["not_assessable"])),
        _notes_section(record),
        "<h2>Methods, to paste</h2>",
        f"<p>{escape(write_methods(record))}</p>",
        "<h2>References, to paste</h2><ol>"
        + "".join(f"<li>{escape(r)}</li>" for r in list_references(record))
        + "</ol>",
        "<h2>Versions</h2>",
        f"<p>{escape(describe_versions())}. Seed {arguments['seed']}.</p>",
    ]
    title = f"Embeddings of {escape(data)}, judged"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = "".join(parts)
    page = f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>'
    with write_atomically(path) as unfinished:
        unfinished.write_text(page, encoding="utf-8")


def _condition_section(record: dict[str, Any]) -> list[str]:
    if "protected" not in record:
        return []
    key = record["protected"]["key"]
    table = make_condition_table(record["table"], key)
    missing = "<p>No percentage can be given: see the notes.</p>"
    return [f"<h2>What is kept of {escape(key)}</h2>", _make_html_table(table) if len(table) else missing]


def _genes_section(record: dict[str, Any]) -> list[str]:
    if "control_genes" not in record:
        return []
    introduction = (
        "<p>How much of the pattern of each gene the neighbours of a cell still show, compared with uncorrected data. "
        "If most of the pattern lies between batches, removing the batch removes it.</p>"
    )
    return ["<h2>Control genes</h2>", introduction, _make_html_table(make_genes_table(record["control_genes"]))]


def _lost_section(record: dict[str, Any]) -> list[str]:
    if "lost" not in record:
        return []
    table = make_lost_table(record["lost"])
    if not len(table):
        return ["<h2>What is lost</h2><p>No difference between groups of cells was significantly lost.</p>"]
    introduction = (
        "<p>Differences between groups of cells of one batch that are present in uncorrected data and lost in the "
        "embedding; up to five for each embedding, the largest loss first.</p>"
    )
    return ["<h2>What is lost</h2>", introduction, _make_html_table(table)]


def _notes_section(record: dict[str, Any]) -> str:
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in record["notes"])
    return f"<h2>Notes</h2><ul>{notes}</ul>" if notes else ""


def _make_list(text: str) -> str:
    """Return sentences as an HTML list."""
    return "<ul>" + "".join(f"<li>{escape(part.rstrip('.'))}.</li>" for part in text.split(". ") if part) + "</ul>"


def _image(pictures: Mapping[str, Path], name: str, kind: str, alt: str) -> str:
    if name not in pictures:
        return ""
    encoded = base64.b64encode(pictures[name].read_bytes()).decode()
    return f'<p><img class="{kind}" alt="{escape(alt)}" src="data:image/png;base64,{encoded}"></p>'


def _describe_cells(arguments: dict[str, Any]) -> str:
    n_judged, n_given = int(arguments["n_cells"]), int(arguments["n_cells_given"])
    return f"{n_judged:,}" if n_judged == n_given else f"a sample of {n_judged:,} of {n_given:,}"


def _make_html_table(table: pd.DataFrame) -> str:
    """Return a table as HTML, texts aligned left and numbers right."""
    texts = [not all(str(value).lstrip("-")[:1].isdigit() or not str(value) for value in table[name]) for name in table]
    head = "".join(_cell("th", name, text) for name, text in zip(table, texts, strict=True))
    rows = "".join(
        "<tr>" + "".join(_cell("td", value, text) for value, text in zip(row, texts, strict=True)) + "</tr>"
        for row in table.itertuples(index=False)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(tag: str, value: Any, text: bool) -> str:
    return f"<{tag}{' class=text' if text else ''}>{escape(str(value))}</{tag}>"
