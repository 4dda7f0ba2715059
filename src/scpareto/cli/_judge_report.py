"""One page about judged embeddings, without network, for a colleague or a supplement."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_METHODS = (
    "Embeddings were judged with scpareto {version}. Populations that batches share were found by clustering the cells "
    "of each batch and matching clusters reciprocally across batches. The share of the batch that is left is the "
    "information about the batch within these populations, estimated by cross-fitted classifiers with common random "
    "numbers for all embeddings, as a share of what {reference} hold. The structure kept is how much nearer the "
    "neighbours of a cell are than random cells in genes, or halves of the counts split binomially, that the embedding "
    "has not used, relative to neighbours in the other half. Intervals are 95 % bootstrap intervals over {interval_of}."
)
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#222;"
    "background:#fff}table{border-collapse:collapse;font-size:14px;display:block;overflow-x:auto}"
    "th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid #ddd}"
    "th:first-child,td:first-child{text-align:left}img{max-width:100%}h2{margin-top:2rem}"
)
_COLUMNS = {
    "batch_left": "batch left (%)",
    "batch_left_low": "from",
    "batch_left_high": "to",
    "structure_kept": "structure kept (%)",
    "structure_kept_low": "from",
    "structure_kept_high": "to",
    "batch_left_held_out": "batch left, held-out cells (%)",
    "structure_kept_held_out": "structure kept, held-out cells (%)",
    "graph_mixing": "neighbours mixed (%)",
    "marginal": "information about the batch (nats)",
    "composition": "of it by composition (nats)",
}


def write_report(path: Path, record: dict[str, Any], data: str, picture: Path | None) -> None:
    """Write the page.

    Parameters
    ----------
    path
        The page.
    record
        What :func:`scpareto.tl.judge` wrote into ``uns``.
    data
        Name of the file that was judged.
    picture
        The plane as a PNG file; None where there is none.
    """
    arguments = record["arguments"]
    reference = arguments["reference"]
    blind = "uncorrected principal components of log-normalised counts"
    told = _METHODS.format(
        version=record["version"],
        reference=blind if reference == "components" else f"the uncorrected embedding {reference}",
        interval_of="the samples" if record["interval_of"] == "samples" else "the cells that were judged",
    )
    image = ""
    if picture is not None:
        coded = base64.b64encode(picture.read_bytes()).decode()
        alt = escape(record["sentence"])
        image = f'<img alt="{alt}" src="data:image/png;base64,{coded}">'
    notes = "".join(f"<li>{escape(str(note))}</li>" for note in record["notes"])
    missing = record["not_assessable"]
    body = (
        f"<h1>Embeddings of {escape(data)}</h1><p><strong>{escape(record['sentence'])}</strong></p>{image}"
        f"<p>Judged: {_judged(arguments)} cells, batches by <code>{escape(arguments['batch_key'])}</code>.</p>"
        f"<h2>Numbers</h2>{_html(_shown(record['table']))}"
        "<h2>Cells that cannot be assessed</h2><p>Share of each batch's cells whose kind no other batch has: what is "
        f"left of the batch in them may be biology.</p>{_html(missing)}"
        + (f"<h2>Notes</h2><ul>{notes}</ul>" if notes else "")
        + f"<h2>Methods, to paste</h2><p>{escape(told)}</p>"
    )
    title = f"Embeddings of {escape(data)}, judged"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    page = f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>'
    path.write_text(page, encoding="utf-8")


def _judged(arguments: dict[str, Any]) -> str:
    judged, given = int(arguments["n_cells"]), int(arguments["n_cells_given"])
    return f"{judged:,}" if judged == given else f"a sample of {judged:,} of {given:,}"


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    known = [name for name in _COLUMNS if name in table]
    return table[known].rename(columns=_COLUMNS)


def _html(table: pd.DataFrame) -> str:
    return str(table.to_html(float_format=lambda value: f"{value:.3g}", na_rep="", border=0))
