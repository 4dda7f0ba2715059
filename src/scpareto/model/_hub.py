"""A folder for the scvi-tools model hub: the model, and a card that shows its front."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import matplotlib.pyplot as plt

from scpareto._constants import BATCH_LEFT
from scpareto._runtime import written_whole
from scpareto.pl import front as draw_front

if TYPE_CHECKING:
    import os

    import pandas as pd
    from scvi.hub import HubModel

    from scpareto.pareto import Front

PARENT_MODULE = "scpareto.model"
_FIGURE = "front.png"
_KEPT = ("structure_kept", "structure_kept_low", "structure_kept_high", "alarm", "structure_lost_most")
_CARD = """---
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

`scvi.hub.HubModel` opens the folder too. Either refuses a file that could run code.

## Data and training

{facts}
"""


class HoldsFront(Protocol):
    """What is asked of a model besides being one of scvi-tools."""

    @property
    def front(self) -> Front | None:
        """The front."""

    @property
    def selected(self) -> int | None:
        """Number of the selected point."""

    def save(self, dir_path: str | os.PathLike[str], **kwargs: Any) -> None:
        """Write the model."""


def save_for_hub(
    model: HoldsFront,
    dir_path: str | os.PathLike[str],
    *,
    license_info: str,
    description: str = "",
    save_anndata: bool = False,
    overwrite: bool = False,
) -> HubModel:
    """Write model, metadata and model card; see :meth:`scpareto.model.ParetoVI.save_for_hub`."""
    try:
        from huggingface_hub import ModelCard
        from scvi.hub import HubMetadata, HubModel
    except ImportError as error:
        raise ImportError("A hub folder needs huggingface-hub: pip install 'scpareto[hub]'.") from error
    if model.front is None or model.selected is None:
        raise RuntimeError("The model has no front to show yet. Call train() first.")
    if not license_info:
        raise ValueError("license_info is empty: name the licence of the model, for example 'cc-by-4.0'.")
    folder = Path(dir_path)
    model.save(folder, overwrite=overwrite, save_anndata=save_anndata)
    figure = draw_front(model.front, selected=model.selected).get_figure(root=True)
    assert figure is not None
    with written_whole(folder / _FIGURE) as file:
        figure.savefig(file, dpi=150, bbox_inches="tight")
    plt.close(figure)
    adata: Any = model.adata  # type: ignore[attr-defined]
    metadata = HubMetadata(
        scvi_version=version("scvi-tools"),
        anndata_version=version("anndata"),
        model_cls_name=type(model).__name__,
        model_parent_module=PARENT_MODULE,
    )
    stats: Any = model.summary_stats  # type: ignore[attr-defined]
    front = model.front
    table = front.to_dataframe().set_index("point")
    judged = front.metadata.get("judged", {})
    left = str(judged.get("column", BATCH_LEFT))
    columns = [column for column in (left, f"{left}_low", f"{left}_high", *_KEPT) if column in table]
    facts = [f"- {stats.n_cells:,} cells, {stats.n_vars:,} genes, {stats.n_batch} batches"]
    facts += [f"- {key}: `{front.metadata[key]}`" for key in ("objective", "method", "preset", "seed")]
    facts.append(f"- genes: {', '.join(map(str, adata.var_names[:5]))}, ...")
    card = _CARD.format(
        license_info=license_info,
        name=metadata.model_cls_name,
        key=metadata.model_cls_name.lower(),
        scvi=metadata.scvi_version,
        anndata=metadata.anndata_version,
        scpareto=version("scpareto"),
        description=description or "No description was given.",
        target=front.metadata.get("target", "batch"),
        selected=model.selected,
        figure=_FIGURE,
        cells="cells that took no part in training" if judged.get("held_out", True) else "all cells",
        place=_place(table, left),
        reason=front.explain(),
        table=_as_markdown(table[columns]),
        facts="\n".join(facts),
    )
    hub = HubModel(str(folder), metadata=metadata, model_card=ModelCard(card))
    hub.save(overwrite=True)
    return hub


def _place(table: pd.DataFrame, left: str) -> str:
    """Return an argument of ``select`` that names a place in the middle."""
    if left != BATCH_LEFT or left not in table or not table[left].notna().any():
        return "preference=0.5"
    return f"batch_left={(table[left].max() + table[left].min()) / 2:.0f}"


def _as_markdown(table: pd.DataFrame) -> str:
    """Write a table as Markdown; pandas would need another library for it."""
    head = [str(table.index.name), *table.columns]
    rows = [[str(index), *map(_cell, row)] for index, *row in table.itertuples(name=None)]
    lines = [head, ["---:"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    # A bar would end the cell: names of differences hold one.
    return value.replace("|", "\\|") if isinstance(value, str) else f"{value:.1f}"
