"""Bipolar cells of the macaque retina, fovea and periphery: the published comparison of Li et al. (2022).

    python experiments/paper/macaque.py --fovea fovea_M1.csv fovea_M2.csv --periphery periphery_M1.csv \
        --annotations metadata.csv --label-key Subcluster --setting full --resume

Files (forms: ``published_data.py``): counts of each region, GEO series GSE118480, one file or several, such as one for
each animal, which are joined by the genes that all have; annotations of the cells, from the Single Cell Portal, with
the column of types named by ``--label-key``. Only cells of ``--types`` are taken, the twelve published ones as a rule.

Treatment: ``published_data.treat_macaque``. Full: 10 splits, 150 epochs of scVI, 150 of each point with MINE and 250
with MMD, 10 preferences, minibatches of 256. Small: 2,000 cells, 1,000 genes, 6 preferences, few epochs,
minibatches of 128.

Writes macaque_points.csv (one row per point and part), macaque.csv (one per method, objective, seed, part and plane)
and macaque_claims.csv in the folder ``--results``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fronts import DEFAULT_RESULTS, SETTINGS, compare_fronts
from published_data import BIPOLAR_TYPES, counts_path, labels_of, options, read_counts, table_path, treat_macaque

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

BATCH_SIZE, PRETRAIN = 256, 150


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    parser = options(__doc__, list(SETTINGS), DEFAULT_RESULTS)
    parser.add_argument("--fovea", type=counts_path, nargs="+", required=True)
    parser.add_argument("--periphery", type=counts_path, nargs="+", required=True)
    parser.add_argument("--annotations", type=table_path)
    parser.add_argument("--label-key", default="cell_type", help="column with the types of cells")
    parser.add_argument("--types", nargs="+", default=BIPOLAR_TYPES, help="types of bipolar cells, as annotated")
    chosen = parser.parse_args(arguments)
    regions = [read_counts(chosen.fovea), read_counts(chosen.periphery)]
    for region in regions:
        region.obs["cell_type"] = labels_of(region, chosen.annotations, chosen.label_key)
    cells = treat_macaque(*regions, types=chosen.types)
    print(f"{cells.n_obs} cells, {cells.n_vars} genes; {cells.obs['batch'].value_counts().to_dict()}")
    return compare_fronts(cells, "macaque", chosen, batch_size=BATCH_SIZE, pretrain=PRETRAIN)


if __name__ == "__main__":
    print(main().to_string(index=False))
