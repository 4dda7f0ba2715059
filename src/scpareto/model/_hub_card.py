"""The text of a model card on the hub."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scpareto._constants import BATCH_LEFT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from scpareto.pareto import Front

FIGURE = "front.png"
_STRUCTURE_COLUMNS = ("structure_kept", "structure_kept_low", "structure_kept_high", "alarm", "structure_lost_most")
_CRITICISM = {
    "cell_wise_cv": "Coefficient of variation of each cell, over genes",
    "gene_wise_cv": "Coefficient of variation of each gene, over cells",
    "diff_exp": "Differential expression between labels",
}
_HEAD = """---
license: {license_info}
library_name: scvi-tools
tags:
- biology
- genomics
- single-cell
- model_cls_name:{name}
- scvi_version:{scvi}
- anndata_version:{anndata}
- scpareto_version:{scpareto}
---

# {name}

{description}
"""
_WITH_FRONT = """
{name} holds a whole front of models: from uncorrected (point 0) to strongly corrected for `{target}`, each an ordinary
scvi-tools model. Point {selected} is selected when the model is loaded.

![The front]({figure})

Judged on {cells}: how much of `{target}` is left and how much of the structure is kept, in % with 95 % intervals, and
the over-correction alarm: 1 where differences between cells are lost, with the largest of them and its genes.

{table}

{reason}

## Load it and take a point

```python
import scpareto as sp

model = sp.model.{name}.load("FOLDER", adata)  # adata: genes of the model, in any scvi-tools way
model.front.to_dataframe()
model.select("auto")  # the recommended point; or a number, a limit such as {{"structure_kept": 95}}, or {place}
adata.obsm["X_{key}"] = model.get_latent_representation()
```
"""
_WITHOUT_FRONT = """
## Load it

```python
import scpareto as sp

model = sp.model.{name}.load("FOLDER", adata)  # adata: genes of the model, in any scvi-tools way
{use}
```
"""
_TAIL = """
`scvi.hub.HubModel` opens the folder too. Either refuses a file that could run code.

## Data and training

{facts}
"""


def format_card(
    *, name: str, front: Front | None, selected: int | None, use: str, facts: Sequence[str], **head: str
) -> str:
    """Write the card in Markdown.

    Parameters
    ----------
    name
        Class of the model.
    front, selected
        Its front and the selected point; None if it has no front.
    use
        A line of Python that uses the loaded model.
    facts
        Facts about data and training, one line each.
    **head
        Licence, versions and description.
    """
    parts = [_HEAD.format(name=name, **head)]
    if front is None:
        parts.append(_WITHOUT_FRONT.format(name=name, use=use))
    else:
        parts.append(_format_front(name, front, selected))
        facts = [*facts, *(f"- {key}: `{front.metadata[key]}`" for key in ("objective", "method", "preset", "seed"))]
    parts.append(_TAIL.format(facts="\n".join(facts)))
    return "".join(parts)


def format_criticism(report: Mapping[str, str]) -> str:
    """Format the tables of scvi-tools' criticism report as a section of the card."""
    tables = [f"### {title}\n\n{report[key]}\n" for key, title in _CRITICISM.items()]
    intro = "Cells drawn from the model against the real ones, by `scvi.criticism.create_criticism_report`."
    return "\n".join(["", "## Criticism", "", f"{intro}\n", *tables])


def _format_front(name: str, front: Front, selected: int | None) -> str:
    table = front.to_dataframe().set_index("point")
    judged = front.metadata.get("judged", {})
    left = str(judged.get("column", BATCH_LEFT))
    columns = [column for column in (left, f"{left}_low", f"{left}_high", *_STRUCTURE_COLUMNS) if column in table]
    return _WITH_FRONT.format(
        name=name,
        key=name.lower(),
        target=front.metadata.get("target", "batch"),
        selected=selected,
        figure=FIGURE,
        cells="cells that took no part in training" if judged.get("held_out", True) else "all cells",
        place=_example_place(table, left),
        reason=front.explain(),
        table=_format_table(table[columns]),
    )


def _example_place(table: pd.DataFrame, left: str) -> str:
    """Return an argument of ``select`` for a place in the middle of the front, as an example."""
    if left != BATCH_LEFT or left not in table or not table[left].notna().any():
        return "preference=0.5"
    return f"batch_left={(table[left].max() + table[left].min()) / 2:.0f}"


def _format_table(table: pd.DataFrame) -> str:
    """Format a table as Markdown; pandas would need another library for it."""
    head = [str(table.index.name), *table.columns]
    rows = [[str(index), *map(_format_cell, row)] for index, *row in table.itertuples(name=None)]
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _format_cell(value: Any) -> str:
    # Names of contrasts contain a bar, which would end the cell.
    return value.replace("|", "\\|") if isinstance(value, str) else f"{value:.1f}"
