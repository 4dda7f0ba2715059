"""Tabula Muris heart: how realistic and diverse generated cells are, Yu and Welch (2021).

    python experiments/paper/heart.py --cells heart.h5ad --label-key cell_ontology_class --setting full --resume

File (forms: ``published_data.py``): the heart cells of Tabula Muris, with the annotation of types in the ``.h5ad`` file
or in ``--annotations``. Cells without one are left out. Counts are scaled to 10,000, logged and cut to the 4,062 most
variable genes (500 in the small setting); values with fractions are taken to be processed already.

Methods and scores are those of ``experiments/generated_cells.py``. Claims: by random-forest error and inception score
WGAN-GP > MichiGAN > VAE > beta-TCVAE, far above PCA and the Gaussian mixture. Full: 5 runs, all cells, 1,000 epochs.

Writes heart.csv (one row per method, seed and epoch) in the folder ``--results``.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))  # the other experiments

import anndata
import pandas as pd
from generated_cells import KEYS, compare_methods
from generative import SETTINGS
from published_data import (
    UNKNOWN,
    counts_path,
    fewer,
    handed_over,
    labels_of,
    log_expression,
    options,
    read_counts,
    table_path,
)
from shared import RESULTS, run_missing

if TYPE_CHECKING:
    from collections.abc import Sequence

DATASET, N_GENES, SEEDS = "heart", 4062, 5


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    parser = options(__doc__, list(SETTINGS), RESULTS / "paper")
    parser.add_argument("--cells", type=counts_path, nargs="+", required=True)
    parser.add_argument("--annotations", type=table_path)
    parser.add_argument("--label-key", default="cell_ontology_class", help="column with the types of cells")
    chosen = parser.parse_args(arguments)
    full = chosen.setting == "full"
    cells = read_counts(chosen.cells)
    cells.obs["cell_type"] = labels_of(cells, chosen.annotations, chosen.label_key)
    cells = cells[(cells.obs["cell_type"] != UNKNOWN).to_numpy()].copy()
    size = SETTINGS[chosen.setting]
    cells = log_expression(fewer(cells, None if full else size["n_cells"]), N_GENES if full else size["n_genes"])
    print(f"{cells.n_obs} cells, {cells.n_vars} genes, {cells.obs['cell_type'].nunique()} types")
    runs = [(chosen.setting, DATASET, seed) for seed in range(chosen.seeds or (SEEDS if full else 1))]
    chosen.results.mkdir(parents=True, exist_ok=True)
    with handed_over(cells) as path:
        table = run_missing(
            partial(run, path), runs, KEYS, chosen.results / "heart.csv", jobs=chosen.jobs, resume=chosen.resume
        )
    last = table.sort_values("epoch").groupby(["setting", "seed", "method"]).tail(1)
    columns = ["random_forest_error", "inception_score"]
    return last.groupby(["setting", "method"])[columns].agg(["mean", "std"]).round(3)


def run(path: Path, setting: str, dataset: str, seed: int) -> pd.DataFrame:
    """Every method once."""
    rows = compare_methods(anndata.read_h5ad(path), setting, seed)
    keys = pd.DataFrame([(setting, dataset, seed)] * len(rows), columns=list(KEYS))
    return pd.concat([keys, rows], axis=1)


if __name__ == "__main__":
    print(main().to_string())
