"""Render the tables of the user guide from ``benchmarks/results/*.csv`` and ``experiments/results/*.csv``.

Each table is a CSV file that a page takes in with the directive ``csv-table``. Where nothing has been measured it says
"missing": nothing is filled in.

Run as ``python docs/render_guide_tables.py``; the docs build runs it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

MISSING = pd.DataFrame({"table": ["missing"]})
DEFAULT_SOLVER, DEFAULT_OBJECTIVE = "pareto_mtl", "classifier"
NO_INFORMATION = 0.01
"""Truths below this, in nats, are shown in a column of their own."""


def costs(rows: pd.DataFrame, by: str, fixed: dict[str, str]) -> pd.DataFrame:
    """Table of ratios by one column, cheapest first.

    Parameters
    ----------
    rows
        One row for each kind of step and repeat, with a column ``ratio``.
    by
        ``"objective"`` or ``"solver"``.
    fixed
        Values of other columns to which the table is restricted.

    Returns
    -------
    The median over repeats, and the smallest and largest ratio.
    """
    for column, value in fixed.items():
        rows = rows[rows[column] == value]
    summary = rows.groupby(by)["ratio"].agg(["median", "min", "max"]).sort_values("median")
    return pd.DataFrame(
        {
            by: [f"`{name}`" for name in summary.index],
            "cost of a step": [f"{median:.2f}" for median in summary["median"]],
            "range": [f"{low:.2f} to {high:.2f}" for low, high in zip(summary["min"], summary["max"], strict=True)],
        }
    )


def errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Table of the largest errors of each estimator of information, the most accurate first.

    Parameters
    ----------
    rows
        One row for each case, estimator and seed, with columns ``truth`` and ``estimate`` in nats; the larger setting
        counts where there are two.

    Returns
    -------
    Largest absolute error over all cases and seeds, largest errors in either direction, and the largest estimate where
    there is no information.
    """
    rows = rows[rows["setting"] == ("full" if "full" in set(rows["setting"]) else "small")]
    rows = rows.assign(error=rows["estimate"] - rows["truth"])
    by_estimator = rows.groupby("estimator")
    table = pd.DataFrame(
        {
            "largest error": by_estimator["error"].agg(lambda error: error.abs().max()),
            "largest below the truth": by_estimator["error"].min().clip(upper=0),
            "largest above the truth": by_estimator["error"].max().clip(lower=0),
            "largest estimate where the truth is 0": rows[rows["truth"] < NO_INFORMATION]
            .groupby("estimator")["estimate"]
            .max(),
        }
    ).sort_values("largest error")
    # Adding zero turns -0.000 into 0.000.
    return (table.round(3) + 0.0).map("{:.3f}".format).reset_index()


def contrast_errors(rows: pd.DataFrame) -> pd.DataFrame:
    """Table of errors of log contrasts, methods by scenarios, of the small setting.

    Parameters
    ----------
    rows
        One row for each scenario (``dataset``), method and seed, with the column ``contrast_rmse``.

    Returns
    -------
    Mean over seeds with the largest in brackets, the methods in the order of the rows.
    """
    rows = rows[rows["setting"] == "small"]
    found = rows.groupby(["method", "dataset"])["contrast_rmse"].agg(["mean", "max"])
    text = found.apply(lambda row: f"{row['mean']:.2f} ({row['max']:.2f})", axis=1).unstack().fillna("")
    return text.loc[rows["method"].unique()].reset_index()


def growth(rows: pd.DataFrame) -> pd.DataFrame:
    """Table of time and memory by number of cells.

    Parameters
    ----------
    rows
        One row for each size and repeat.

    Returns
    -------
    Means over repeats.
    """
    means = rows.groupby("cells").mean(numeric_only=True)
    return pd.DataFrame(
        {
            "cells": [f"{n:,}" for n in means.index],
            "processor time, s": means["processor_seconds"].map("{:.0f}".format).to_numpy(),
            "counts, MB": means["matrix_megabytes"].map("{:.0f}".format).to_numpy(),
            "memory with the counts, MB": means["peak_megabytes"].map("{:.0f}".format).to_numpy(),
            "three rounds, times": means["ratio"].map("{:.1f}".format).replace("nan", "").to_numpy(),
            "their memory, times": means["memory_ratio"].map("{:.1f}".format).replace("nan", "").to_numpy(),
        }
    )


def areas(rows: pd.DataFrame) -> pd.DataFrame:
    """Table of areas under the ROC curve of the alarm and of simpler signals.

    Parameters
    ----------
    rows
        One row for each group of designs and signal.

    Returns
    -------
    Areas with their intervals, and those of points that lost types or states alone.
    """
    return pd.DataFrame(
        {
            "designs": rows["designs of"] + " (" + rows["designs"].astype(str) + ")",
            "signal": rows["signal"],
            "AUROC": [
                f"{area:.2f} ({low:.2f} to {high:.2f})"
                for area, low, high in zip(rows["AUROC"], rows["low"], rows["high"], strict=True)
            ],
            "types lost": rows["AUROC, types"].map("{:.2f}".format),
            "states lost": rows["AUROC, states"].map("{:.2f}".format),
            "types or states erased": rows["AUROC, erased"].map("{:.2f}".format),
        }
    )


def gaps(rows: pd.DataFrame) -> pd.DataFrame:
    """Table of how far picks are from the best point of a front, in scib-metrics' total.

    Parameters
    ----------
    rows
        One row for each data set, seed and rule, with the column ``gap``.

    Returns
    -------
    Mean and largest gap, and the share of fronts within 0.02, by real and simulated data and rule.
    """
    rows = rows[rows["gap"].notna() & (rows["rule"] != "best, seeing labels")]
    rows = rows.assign(data=rows["dataset"].eq("simulate_batches").map({True: "simulated", False: "real"}))
    found = rows.groupby(["data", "rule"])["gap"].agg(["count", "mean", "max", lambda gap: int((gap <= 0.02).sum())])
    found.columns = ["fronts", "mean gap", "largest gap", "within 0.02"]
    for column in ("mean gap", "largest gap"):
        found[column] = found[column].map("{:.3f}".format)
    return found.reset_index()


def rules(rows: pd.DataFrame) -> pd.DataFrame:
    """Table of ways to choose a point, by how far behind the best point of its front each one is.

    Parameters
    ----------
    rows
        One row for each data set, seed and rule, with columns ``scib_total_gap``, ``rare_purity_gap``, ``batch_left``
        and ``structure_kept``; the larger setting counts where there are two. Points trained apart are left out.

    Returns
    -------
    Means over data sets and seeds, the smallest gap first.
    """
    rows = rows[rows["setting"] == ("full" if "full" in set(rows["setting"]) else "small")]
    rows = rows[rows["strategy"] == "path"] if "strategy" in rows else rows
    names = {
        "scib_total_gap": "gap in scib-metrics' total",
        "rare_purity_gap": "gap in purity of rare neighbours",
        "batch_left": "batch left (%)",
        "structure_kept": "structure kept (%)",
    }
    means = rows.groupby("rule")[list(names)].mean().sort_values("scib_total_gap")
    digits = dict(zip(names, (3, 3, 1, 1), strict=True))
    text = pd.DataFrame({names[c]: [f"{value:.{digits[c]}f}" for value in means[c]] for c in names}, index=means.index)
    return text.reset_index()


def dominated(rows: pd.DataFrame) -> pd.DataFrame:
    """Table of how many methods a front reaches, and of those that it does not.

    Parameters
    ----------
    rows
        One row for each data set, front and plane.

    Returns
    -------
    Counts of methods that some point of the front is at least as good as, as measured and up to the interval.
    """
    return pd.DataFrame(
        {
            "data": rows["dataset"],
            "plane": rows["plane"],
            "front": rows["front"].str.replace("paretovi_longer", "longer").str.replace("paretovi", "as in the text"),
            "reached, as measured": rows["dominated"].astype(str) + " of " + rows["points"].astype(str),
            "within intervals": rows["within_intervals"].astype(str) + " of " + rows["points"].astype(str),
            "beyond": rows["not_dominated"].fillna(""),
        }
    )


TABLES: dict[str, tuple[str, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "objective_cost": (
        "benchmarks/results/objective_cost.csv",
        lambda rows: costs(rows, "objective", {"solver": DEFAULT_SOLVER}),
    ),
    "solver_cost": (
        "benchmarks/results/objective_cost.csv",
        lambda rows: costs(rows, "solver", {"objective": DEFAULT_OBJECTIVE}),
    ),
    "information_errors": ("experiments/results/mutual_information.csv", errors),
    "overcorrection_alarm": ("experiments/results/overcorrection_alarm.csv", areas),
    "label_free_pick": ("experiments/results/label_free_pick.csv", gaps),
    "keeps_its_word": ("experiments/results/keeps_its_word.csv", rules),
    "integrators": ("experiments/results/integrators_claim.csv", dominated),
    "adjust_counts": ("experiments/results/adjust_counts_simulated.csv", contrast_errors),
    "adjust_counts_cost": ("benchmarks/results/adjust_counts.csv", growth),
}
"""Measurements and renderer of each table."""


def render_guide_tables(repository: Path, target: Path) -> list[Path]:
    """Write one CSV file for each table.

    Parameters
    ----------
    repository
        Folder of ``benchmarks`` and ``experiments``.
    target
        Folder of the tables.

    Returns
    -------
    The files, in the order of :data:`TABLES`.
    """
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (source, render) in TABLES.items():
        measured = repository / source
        table = render(pd.read_csv(measured)) if measured.exists() else MISSING
        paths.append(target / f"{name}.csv")
        table.to_csv(paths[-1], index=False)
    return paths


if __name__ == "__main__":
    docs = Path(__file__).parent
    render_guide_tables(docs.parent, docs / "generated" / "tables")
