"""sci-Plex: cells of drugs and cell lines that were never seen together, Yu and Welch (2021).

    python experiments/paper/sciplex.py --cells sciplex3.h5ad --cell-line-key cell_type --drug-key treatment \
        --pathway-key pathway --setting full --resume

File (forms: ``published_data.py``): cells of A549, K562 and MCF7 under many drugs, with columns for the cell line and
for the catalogue number of the drug (``S1628``), in the ``.h5ad`` file or in ``--annotations``. With ``--pathway-key``
the drug with most cells of each pathway is taken, 18 of them in the paper; without it all drugs of the file are.
Counts are scaled to 10,000, logged and cut to the 4,295 most variable genes (500 in the small setting); values with
fractions are taken to be processed already.

Three combinations are left out of training together, and each is predicted from both other lines: six predictions.
``--held-out MCF7:S1262 MCF7:S1259 MCF7:S7207`` is the second published experiment, of combinations with the lowest
difference of latent-space entropy. Claim: MichiGAN on sampled codes is more realistic than beta-TCVAE (p < .0001), on
mean codes it is not. Training and scores are those of ``experiments/unseen_simulated.py``.

Writes sciplex.csv (one row per method, prediction and seed) and sciplex_tests.csv in the folder ``--results``.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))  # the other experiments

import anndata
import pandas as pd
from generative import SETTINGS
from published_data import (
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
from unseen_simulated import one_round, summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

KEYS = ("setting", "dataset", "held_out", "codes", "seed")
DATASET, N_GENES, SEEDS = "sciplex", 4295, 5
HELD_OUT = ("A549:S1628", "K562:S1096", "MCF7:S7259")
ENCODERS = {"tcvae": 10.0, "vae": 0.0}
METHODS = ("michigan_sample", "michigan_mean", "decoder_sample", "decoder_mean")


def main(arguments: Sequence[str] | None = None) -> pd.DataFrame:
    parser = options(__doc__, list(SETTINGS), RESULTS / "paper")
    parser.add_argument("--cells", type=counts_path, nargs="+", required=True)
    parser.add_argument("--annotations", type=table_path)
    parser.add_argument("--cell-line-key", default="cell_type")
    parser.add_argument("--drug-key", default="treatment")
    parser.add_argument("--pathway-key", help="column with pathways, to take one drug of each")
    parser.add_argument("--held-out", nargs="+", type=combination, default=HELD_OUT, metavar="LINE:DRUG")
    chosen = parser.parse_args(arguments)
    full = chosen.setting == "full"
    cells = read_counts(chosen.cells)
    # The names that the functions of the simulation expect.
    keys = {"cell_type": chosen.cell_line_key, "drug": chosen.drug_key, "pathway": chosen.pathway_key}
    columns = {name: labels_of(cells, chosen.annotations, key) for name, key in keys.items() if key}
    cells.obs = pd.DataFrame(columns, index=cells.obs_names)
    if chosen.pathway_key:
        cells = one_drug_per_pathway(cells)
    check_held_out(cells, chosen.held_out)
    size = SETTINGS[chosen.setting]
    cells = log_expression(fewer(cells, None if full else size["n_cells"]), N_GENES if full else size["n_genes"])
    check_held_out(cells, chosen.held_out)
    print(f"{cells.n_obs} cells, {cells.n_vars} genes, {cells.obs['drug'].nunique()} drugs")
    held_out = " ".join(chosen.held_out)
    seeds = range(chosen.seeds or (SEEDS if full else 1))
    runs = [(chosen.setting, DATASET, held_out, codes, seed) for seed in seeds for codes in ENCODERS]
    chosen.results.mkdir(parents=True, exist_ok=True)
    with handed_over(cells) as path:
        table = run_missing(
            partial(predict, path), runs, KEYS, chosen.results / "sciplex.csv", jobs=chosen.jobs, resume=chosen.resume
        )
    tests = compare(table)
    tests.to_csv(chosen.results / "sciplex_tests.csv", index=False, float_format="%.3g")
    return tests


def combination(text: str) -> str:
    """``LINE:DRUG``, for argparse."""
    if text.count(":") != 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form LINE:DRUG, such as A549:S1628")
    return text


def one_drug_per_pathway(cells: AnnData) -> AnnData:
    """Cells of the drug that has most of them in each pathway; of equal ones the first by name."""
    counts = cells.obs.groupby(["pathway", "drug"], observed=True).size().reset_index(name="n")
    chosen = counts.sort_values(["n", "drug"], ascending=[False, True]).drop_duplicates("pathway")["drug"]
    return cells[cells.obs["drug"].isin(chosen).to_numpy()].copy()


def check_held_out(cells: AnnData, held_out: Sequence[str]) -> None:
    """Refuse combinations that the cells do not have, or too few of to be scored."""
    sizes = (cells.obs["cell_type"].astype(str) + ":" + cells.obs["drug"].astype(str)).value_counts()
    for one in held_out:
        if one not in sizes:
            raise SystemExit(
                f"--held-out: there are no cells of {one}. Combinations: {', '.join(sorted(sizes.index))}."
            )
        if sizes[one] < 5:
            raise SystemExit(f"--held-out: there are {sizes[one]} cells of {one}; at least 5 are needed.")


def predict(path: Path, setting: str, dataset: str, held_out: str, codes: str, seed: int) -> pd.DataFrame:
    """Errors of the left-out combinations, predicted from every other cell line by every method."""
    left_out = tuple(tuple(one.split(":")) for one in held_out.split(" "))
    wide = one_round(
        anndata.read_h5ad(path),
        setting,
        seed,
        codes,
        ENCODERS[codes],
        left_out,
        only=True,
        n_trees=SETTINGS[setting]["n_trees"],
    )
    same = [name for name in wide if name not in METHODS]
    rows = wide.melt(same, METHODS, var_name="method", value_name="random_forest_error")
    return rows.assign(setting=setting, dataset=dataset, held_out=held_out, seed=seed)


def compare(table: pd.DataFrame) -> pd.DataFrame:
    """Medians, wins and one-sided Wilcoxon tests of MichiGAN against the decoder, for each choice left out."""
    tests = []
    index = ["seed", "codes", "cell_type", "drug", "source", "left_out", "entropy_difference"]
    for (setting, held_out), some in table.groupby(["setting", "held_out"]):
        wide = some.pivot(index=index, columns="method", values="random_forest_error").reset_index()
        found = summarise(wide.assign(round=1)).drop(columns="round")
        tests.append(found.assign(setting=setting, held_out=held_out, dataset=DATASET))
    return pd.concat(tests, ignore_index=True)


if __name__ == "__main__":
    print(main().to_string(index=False))
