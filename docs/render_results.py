"""Render the tables of ``experiments/results/*.csv`` as pages of the docs.

Each CSV holds one row per seed of each combination of its keys: dataset, method and any other column of words, and the
columns of numbers named here. Its page shows the mean and the standard deviation over seeds for every combination, and
says how many seeds stand behind it. A combination of dataset and method without rows, or a number that no row has,
prints as "missing": nothing is filled in. A table without seeds is shown as it is.

Run as ``python docs/render_results.py``; the docs build runs it too.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import pandas as pd

KEYS = ["dataset", "method"]
NUMBERED_KEYS = ["weight", "point", "truth", "n_latent", "epoch", "dimension", "round", "value"]
SEED = "seed"
MISSING = "missing"


def number(value: float) -> str:
    """Return a number with the digits that a reader can use: four significant ones."""
    return f"{value:.4g}"


def cell(values: pd.Series) -> str:
    """Return "mean ± sd" over seeds; the mean alone where there is one seed; "missing" where there is none."""
    known = values.dropna()
    if known.empty:
        return MISSING
    if len(known) == 1:
        return number(float(known.iloc[0]))
    return f"{number(float(known.mean()))} ± {number(float(known.std(ddof=1)))}"


def table(rows: pd.DataFrame) -> str:
    """Return a markdown table of the numeric columns by setting, dataset, method and further keys.

    Parameters
    ----------
    rows
        One row per seed of each combination of keys. Small and full settings are never averaged together.

    Returns
    -------
    The table as text, with every combination of dataset and method in it.
    """
    if SEED not in rows:
        return as_it_is(rows)
    keys = [*(["setting"] if "setting" in rows else []), *(key for key in KEYS if key in rows)]
    words = [c for c in rows if c not in keys and not pd.api.types.is_numeric_dtype(rows[c])]
    further = [*words, *(key for key in NUMBERED_KEYS if key in rows)]
    keys += further
    columns = [c for c in rows.select_dtypes("number").columns if c not in (*keys, SEED)]
    lines = ["| " + " | ".join([*keys, "seeds", *columns]) + " |"]
    lines.append("|" + "---|" * len(keys) + "--:|" * (len(columns) + 1))
    present = rows[keys].drop_duplicates().itertuples(index=False, name=None)
    for combination in present if further else product(*(pd.unique(rows[key]) for key in keys)):
        chosen = rows
        for key, value in zip(keys, combination, strict=True):
            chosen = chosen[chosen[key] == value]
        seeds = chosen[SEED].nunique() if SEED in chosen else len(chosen)
        cells = [*map(str, combination), str(seeds) if seeds else MISSING, *(cell(chosen[c]) for c in columns)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def as_it_is(rows: pd.DataFrame) -> str:
    """Return all rows as a markdown table."""
    lines = ["| " + " | ".join(rows.columns) + " |", "|" + "---|" * len(rows.columns)]
    for row in rows.itertuples(index=False, name=None):
        cells = [MISSING if pd.isna(v) else number(v) if isinstance(v, float) else str(v) for v in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def script_of(stem: str, scripts: Path) -> str:
    """Return the name of the script that writes a table: its own, or without the parts behind the last underscores."""
    parts = stem.split("_")
    names = ["_".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return next((name for name in names if (scripts / f"{name}.py").exists()), stem)


def page(path: Path) -> str:
    """Return the page of one CSV file."""
    title = path.stem.replace("_", " ").capitalize()
    rows = pd.read_csv(path)
    body = table(rows) if len(rows) else "No rows yet."
    figure = path.with_suffix(".png")
    if figure.exists():
        body = f"![{title}](../../experiments/results/{figure.name})\n\n{body}"
    return (
        f"# {title}\n\n"
        f"Mean ± standard deviation over seeds, from `experiments/results/{path.name}`, which "
        f"`experiments/{script_of(path.stem, path.parents[1])}.py` writes.\n\n{body}\n"
    )


def render(source: Path, target: Path) -> list[Path]:
    """Write one page per CSV file and remove the pages whose file is gone.

    Parameters
    ----------
    source
        Folder of the CSV files.
    target
        Folder of the pages; its ``index.md`` is written by hand and left alone.

    Returns
    -------
    The pages, in the order of their names.
    """
    target.mkdir(parents=True, exist_ok=True)
    pages = {target / f"{path.stem}.md": page(path) for path in sorted(source.glob("*.csv"))}
    pages = pages or {target / "none.md": "# Nothing measured yet\n\n`experiments/results/` holds no table.\n"}
    for old in set(target.glob("*.md")) - set(pages) - {target / "index.md"}:
        old.unlink()
    for path, text in pages.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    return list(pages)


def main() -> None:
    """Read the command line and render."""
    repository = Path(__file__).parents[1]
    parser = argparse.ArgumentParser(description="Render experiments/results/*.csv as pages of the docs.")
    parser.add_argument("--source", type=Path, default=repository / "experiments" / "results")
    parser.add_argument("--target", type=Path, default=repository / "docs" / "results")
    arguments = parser.parse_args()
    render(arguments.source, arguments.target)


if __name__ == "__main__":
    main()
