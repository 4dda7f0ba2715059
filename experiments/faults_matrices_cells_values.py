"""Hostile cases of three kinds of fault, and which of them go right: matrices, cells, values.

Each case runs in a process of its own and says whether it was right: the same numbers as from clean data and the user's
matrices untouched, or a refusal that names what is wrong. The column ``before`` was written by the same cases
on the version before the gates; ``--column after`` writes that of the present one:

    python experiments/faults_matrices_cells_values.py --column after
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))

from fault_cases import beside, cells, forms, matrices, values  # noqa: F401 (importing them adds their cases)
from fault_cases._tried import CASES, Case, tried
from shared import RESULTS

TABLE = RESULTS / "faults_matrices_cells_values.csv"


def main() -> None:
    """Try all cases, or those whose name holds some words, and write a column of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--column", choices=("before", "after"), default="after")
    parser.add_argument("--only", default="", help="Words in kind or name of the cases that are tried.")
    parser.add_argument("--output", type=Path, default=TABLE)
    chosen = parser.parse_args()
    import torch

    import scpareto
    import scpareto.bench
    import scpareto.cli  # noqa: F401

    torch.set_num_threads(1)
    # In a process of its own: one that has computed cannot part.
    tried(Case("cells", "models to load", lambda: cells.folder().exists()))
    keys = ["kind", "case"]
    known = pd.read_csv(chosen.output, index_col=keys) if chosen.output.exists() else pd.DataFrame()
    found = {}
    for one in CASES:
        if chosen.only in f"{one.kind}: {one.name}":
            found[one.kind, one.name] = "yes" if tried(one) else "no"
            print(f"{found[one.kind, one.name]:4s}{one.kind}: {one.name}", flush=True)
    index = pd.MultiIndex.from_tuples([(one.kind, one.name) for one in CASES], names=keys)
    table = known.reindex(index=index, columns=["before", "after"])
    table[chosen.column] = pd.Series(found, dtype=object).reindex(index).fillna(table[chosen.column])
    table.to_csv(chosen.output)
    right = pd.Series(found).eq("yes").groupby(level=0).agg(["sum", "size"])
    print(right.to_string(header=["right", "of"]))


if __name__ == "__main__":
    main()
