"""Tabula Muris bone marrow, Smart-seq2 and 10x: the published comparison of Li et al. (2022).

    python experiments/paper/marrow.py --facs FACS/Marrow-counts.csv --facs-annotations annotations_facs.csv \
        --droplet droplet/Marrow-* --droplet-annotations annotations_droplet.csv --gene-lengths gene_len.txt \
        --setting full --resume

Files (forms: ``published_data.py``): the counts of both protocols, as Tabula Muris offers them; lengths of genes, a
table of names and lengths without more columns, which also says which genes are used; annotations of the cells, unless
counts are ``.h5ad`` files that hold them. Cells without annotation count as one more type, as published.

Treatment: ``published_data.treat_marrow``. Full: 10 splits, 200 epochs of scVI, 150 of each point with MINE and 250
with MMD, 10 preferences, minibatches of 128. Small: 2,000 cells, 1,000 genes, 6 preferences, few epochs.

Writes marrow_points.csv (one row per point and part), marrow.csv (one per method, objective, seed, part and plane) and
marrow_claims.csv in the folder ``--results``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fronts import DEFAULT_RESULTS, SETTINGS, compare_fronts
from published_data import counts_path, gene_lengths, labels_of, options, read_counts, table_path, treat_marrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

BATCH_SIZE, PRETRAIN = 128, 200


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    parser = options(__doc__, list(SETTINGS), DEFAULT_RESULTS)
    parser.add_argument("--facs", type=counts_path, nargs="+", required=True, help="Smart-seq2 counts")
    parser.add_argument("--droplet", type=counts_path, nargs="+", required=True, help="10x counts")
    parser.add_argument("--gene-lengths", type=table_path, required=True, help="table of gene names and lengths")
    parser.add_argument("--facs-annotations", type=table_path)
    parser.add_argument("--droplet-annotations", type=table_path)
    parser.add_argument("--label-key", default="cell_ontology_class", help="column with the types of cells")
    chosen = parser.parse_args(arguments)
    lengths = gene_lengths(chosen.gene_lengths)
    facs, droplet = read_counts(chosen.facs), read_counts(chosen.droplet)
    for part, table in ((facs, chosen.facs_annotations), (droplet, chosen.droplet_annotations)):
        part.obs["cell_type"] = labels_of(part, table, chosen.label_key)
    cells = treat_marrow(facs, droplet, lengths)
    print(f"{cells.n_obs} cells, {cells.n_vars} genes; {cells.obs['batch'].value_counts().to_dict()}")
    return compare_fronts(cells, "marrow", chosen, batch_size=BATCH_SIZE, pretrain=PRETRAIN)


if __name__ == "__main__":
    print(main().to_string(index=False))
