"""Part c: losses planted into embeddings of real cells. Does the alarm see them, and call them what they are?

Into principal components or Harmony of real cells with labels, one at a time: a type of one batch laid onto another
(``merged``: nearest type, ``far``: any other), one state or fine type of a type laid onto its others (``shifted``),
cells at one end of a type's first component laid onto its others (``graded``: a state without a gap), a type moved away
in one batch (``split``: nothing is lost, more of the batch is left), and codes dealt anew to all cells (``erased``).
``sound`` is the embedding as it was. ``apart``: how well the components that losses are measured against keep the two
sides apart, 0 mixed to 1 apart; what they do not show cannot be lost. ``named``: share of the cells of the groups that
the loudest contrast names (not "rest") that were moved or moved onto.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from calibration.real_cells import N_OTHER, Cells, harmonised, real_cells

KEYS = ("setting", "case", "seed")
SETTINGS: dict[str, dict[str, int]] = {
    "small": {"n_cells": 2000, "n_plants": 10},
    "full": {"n_cells": 4000, "n_plants": 40},
}
CASES: dict[str, dict[str, Any]] = {
    "pbmc_multistudy": {"batch": "batch", "types": "cell_type"},
    "retina_fovea_periphery": {"batch": "batch", "types": "cell_type", "states": "cell_type_fine"},
    "pancreas_baron_orthologues": {"batch": "batch", "types": "cell_type"},
    "pbmc_facs": {"types": "cell_type", "states": "cell_type_fine"},
    "mouse_bladder_2100": {"types": "cell_type"},
    "kang_ifnb_pbmc": {"batch": "batch", "types": "cell_type", "states": "condition"},
}
LEAST_GRADED = 60
LEAST_CELLS, TOGETHER, N_NEIGHBORS, NOISE, MOVED = 15, 4, 15, 0.1, 4.0
SHOWN = 0.5
SIZES = (15, 20, 30, 60, 120, 10_000)


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """Plant losses into one draw of cells; one row for each planted embedding."""
    from scpareto.metrics import lost_contrasts, shared_populations

    options, keys = SETTINGS[setting], CASES[case]
    rng = np.random.default_rng([seed, list(CASES).index(case)])
    cells = real_cells(case, options["n_cells"], rng=rng, batch_key=keys.get("batch"))
    batch = (
        cells.obs[keys["batch"]].astype(str).to_numpy()
        if "batch" in keys
        else rng.integers(2, size=len(cells.obs)).astype(str)
    )
    types = cells.obs[keys["types"]].astype(str).to_numpy()
    base_name = ("pca", "harmony")[seed % 2]
    base = cells.components[:, :N_OTHER]
    if base_name == "harmony":
        base = harmonised(cells.components, batch)
    shared = shared_populations(cells.components, batch, seed=seed)
    planted = plants(cells, base, batch, types, keys, rng, options["n_plants"])
    rows: list[dict[str, Any]] = []
    for begin in range(0, len(planted), TOGETHER):
        some = {f"planted {i}": planted[i] for i in range(begin, min(begin + TOGETHER, len(planted)))}
        begun = time.perf_counter()
        found = lost_contrasts(
            cells.counts,
            {"components": cells.components} | {name: one["codes"] for name, one in some.items()},
            batch,
            reference="components",
            gene_names=cells.genes,
            populations=shared.labels,
            confident_populations=shared.confident_labels,
            seed=seed,
        )
        seconds = (time.perf_counter() - begun) / len(some)
        for name, one in some.items():
            told = dict(zip(KEYS, (setting, case, seed), strict=True)) | {"base": base_name}
            told |= {key: value for key, value in one.items() if key not in ("codes", "cells", "onto_cells")}
            table = found.table[found.table["embedding"] == name]
            rows.append(told | rung(table, found, one) | {"seconds": seconds})
    for row in rows:
        if row["plant"] == "split":
            row |= more_left(cells, base, next(one["codes"] for one in planted if one["plant"] == "split"), batch, seed)
    return pd.DataFrame(rows)


def more_left(cells: Cells, base: np.ndarray, split: np.ndarray, batch: np.ndarray, seed: int) -> dict[str, Any]:
    """Whether more of the batch is left once a type has been moved away in one batch."""
    from scpareto.metrics import batch_left, populations_at_resolutions

    populations = populations_at_resolutions(cells.components, batch, seed=seed)[1:2]
    codes = {"components": cells.components, "sound": base, "split": split}
    found = batch_left(codes, reference="components", batch=batch, populations=populations, seed=seed)
    differences = found.differences.set_index(["first", "second"]).loc[("sound", "split")]
    leaks = bool(found.table.loc["split", "reference_leaks_less"])
    return {
        "left_sound": found.table.loc["sound", "batch_left"],
        "left_split": found.table.loc["split", "batch_left"],
        "more_left": bool(differences["high"] < 0) or leaks,
    }


def rung(table: pd.DataFrame, found: Any, plant: dict[str, Any]) -> dict[str, Any]:
    """Whether the alarm rings, how loudly, what it calls the loss, and whether it names the planted cells."""
    judged, rings = table[table["status"] == "judged"], table[table["rings"]]
    told: dict[str, Any] = {"rings": bool(len(rings)), "n_rings": len(rings), "n_judged": len(judged)}
    told["statistic"] = judged["statistic"].max() if len(judged) else np.nan
    told["most_lost"] = judged["lost"].max() if len(judged) else np.nan
    for kind in ("type", "state"):
        told[f"statistic_{kind}"] = judged.loc[judged["kind"] == kind, "statistic"].max()
        told[f"n_rings_{kind}"] = int((rings["kind"] == kind).sum())
    if not len(rings):
        return told | {"kind": "", "named": np.nan}
    loudest = rings.sort_values("statistic").iloc[-1]
    told["kind"] = loudest["kind"]
    inside = np.zeros(len(found.groups), dtype=bool)
    for side in loudest["contrast"].split(": ", 1)[1].split(" | "):
        for number in side.replace("groups", "").replace("group", "").split(","):
            name = f"{loudest['batch']}: group {number.strip()}"
            if name in found.names:
                inside |= found.groups == found.names.index(name)
    own = np.concatenate([plant["cells"], plant["onto_cells"]]).astype(int)
    told["named"] = float(np.isin(np.flatnonzero(inside), own).mean()) if len(own) and inside.any() else np.nan
    return told


def plants(
    cells: Cells,
    base: np.ndarray,
    batch: np.ndarray,
    types: np.ndarray,
    keys: dict[str, Any],
    rng: np.random.Generator,
    n_plants: int,
) -> list[dict[str, Any]]:
    """Return embeddings with one planted change each."""
    found = [_plant("sound", base), _plant("erased", base[rng.permutation(len(base))])]
    sizes = pd.crosstab(types, batch)
    own = [(t, b) for t in sizes.index for b in sizes.columns if sizes.loc[t, b] >= LEAST_CELLS]
    own = [own[i] for i in rng.permutation(len(own))]
    centres = {pair: cells.components[(types == pair[0]) & (batch == pair[1])].mean(axis=0) for pair in own}
    for count, (name, home) in enumerate(own[:n_plants]):
        others = [t for t, b in own if b == home and t != name]
        if not others:
            continue
        distance = [((centres[t, home] - centres[name, home]) ** 2).sum() for t in others]
        far = count % 2 == 1
        onto = others[int(rng.integers(len(others)))] if far else others[int(np.argmin(distance))]
        moved = np.flatnonzero((types == name) & (batch == home))
        target = np.flatnonzero((types == onto) & (batch == home))
        found.append(laid(cells, base, moved, target, "far" if far else "merged", rng, name, onto, home))
    # A type that touches others would be torn from them.
    everyone = np.arange(len(types))
    alone = {
        pair: apart(
            cells.components,
            everyone[(types == pair[0]) & (batch == pair[1])],
            everyone[(types != pair[0]) & (batch == pair[1])],
        )
        for pair in own
    }
    name, home = max(own, key=lambda pair: (min(alone[pair], 0.95), sizes.loc[pair]))
    moved = np.flatnonzero((types == name) & (batch == home))
    away = rng.normal(size=base.shape[1])
    codes = base.copy()
    codes[moved] += MOVED * away / np.linalg.norm(away) * np.sqrt(base[types == name].var(axis=0).sum())
    found.append(_plant("split", codes, moved, what=name, batch=home, n_moved=len(moved)))
    found += [graded(cells, base, batch, types, rng, *pair) for pair in own if sizes.loc[pair] >= LEAST_GRADED][
        : n_plants // 2
    ]
    if "states" in keys:
        found += states(cells, base, batch, types, cells.obs[keys["states"]].astype(str).to_numpy(), rng, n_plants)
    return found


def states(
    cells: Cells,
    base: np.ndarray,
    batch: np.ndarray,
    types: np.ndarray,
    state: np.ndarray,
    rng: np.random.Generator,
    n_plants: int,
) -> list[dict[str, Any]]:
    """Lay the cells of one state of a type onto its other cells."""
    found = []
    sizes = pd.DataFrame({"type": types, "batch": batch, "state": state}).value_counts()
    for name, home, own in sizes.index:
        moved = np.flatnonzero((types == name) & (batch == home) & (state == own))
        target = np.flatnonzero((types == name) & (batch == home) & (state != own))
        if min(len(moved), len(target)) >= LEAST_CELLS:
            found.append((moved, target, f"{name}: {own}", name, home))
    chosen = [found[i] for i in rng.permutation(len(found))[:n_plants]]
    return [laid(cells, base, m, t, "shifted", rng, what, onto, home) for m, t, what, onto, home in chosen]


def graded(
    cells: Cells, base: np.ndarray, batch: np.ndarray, types: np.ndarray, rng: np.random.Generator, name: str, home: str
) -> dict[str, Any]:
    """Lay the upper third of a type, along its first component, onto the rest of it: a state without a gap."""
    own = np.flatnonzero((types == name) & (batch == home))
    inside = cells.components[own] - cells.components[own].mean(axis=0)
    place = inside @ np.linalg.svd(inside, full_matrices=False)[2][0]
    upper = place > np.quantile(place, 2 / 3)
    return laid(cells, base, own[upper], own[~upper], "graded", rng, f"{name}, upper third", name, home)


def laid(
    cells: Cells,
    base: np.ndarray,
    moved: np.ndarray,
    target: np.ndarray,
    plant: str,
    rng: np.random.Generator,
    what: str,
    onto: str,
    home: str,
) -> dict[str, Any]:
    """Give cells the codes of random cells of the target, with a little noise."""
    codes = base.copy()
    spread = base[target].std(axis=0)
    codes[moved] = base[rng.choice(target, len(moved))] + NOISE * spread * rng.normal(size=(len(moved), base.shape[1]))
    return _plant(
        plant,
        codes,
        moved,
        target,
        what=what,
        onto=onto,
        batch=home,
        n_moved=len(moved),
        n_onto=len(target),
        apart=apart(cells.components, moved, target),
    )


def apart(codes: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """How rarely cells of the smaller side have neighbours of the other: 0 as by chance, 1 never."""
    from sklearn.neighbors import NearestNeighbors

    both = np.concatenate([one, other])
    side = np.arange(len(both)) < len(one)
    k = min(N_NEIGHBORS, len(one) - 1, len(other) - 1)
    near = NearestNeighbors(n_neighbors=k).fit(codes[both]).kneighbors(return_distance=False)
    smaller = side == (len(one) <= len(other))
    crossed = (side[near[smaller]] != side[smaller][:, None]).mean()
    return float(1 - crossed / ((~smaller).sum() / (len(both) - 1)))


def _plant(plant: str, codes: np.ndarray, cells: Any = (), onto_cells: Any = (), **told: Any) -> dict[str, Any]:
    return {"plant": plant, "codes": codes, "cells": cells, "onto_cells": onto_cells, **told}


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Power by plant, size and data set, area under the ROC curve, and what losses are called."""
    from sklearn.metrics import roc_auc_score

    rows = []
    seen = table["more_left"].dropna().astype(bool)
    lost_types, sound = table["plant"].isin(["merged", "far"]), table["plant"].isin(["sound", "split"])
    shown = table["apart"] >= SHOWN

    def add(what: str, some: pd.DataFrame) -> None:
        rang = some[some["rings"]]
        rows.append(
            {
                "embeddings": what,
                "n": len(some),
                "rings": some["rings"].mean(),
                "called type": (rang["kind"] == "type").mean(),
                "called state": (rang["kind"] == "state").mean(),
                "named cells are planted ones": rang["named"].mean(),
            }
        )

    for plant, some in table.groupby("plant"):
        add(plant, some)
    for plant in ("merged", "far", "shifted"):
        add(f"{plant}, apart at least {SHOWN}", table[(table["plant"] == plant) & shown])
    smaller = table[["n_moved", "n_onto"]].min(axis=1)
    for low, high in zip(SIZES[:-1], SIZES[1:], strict=True):
        add(f"type lost, {low} to {high - 1} cells", table[lost_types & shown & (smaller >= low) & (smaller < high)])
    for case, some in table[lost_types & shown].groupby("case"):
        add(f"type lost, {case}", some)
    rows.append(
        {"embeddings": "split: more batch left, or more than in the reference", "n": len(seen), "rings": seen.mean()}
    )
    for what, lost in (("all", lost_types), ("shown", lost_types & shown)):
        pair = table[lost | sound]
        for signal in ("statistic", "most_lost"):
            if pair["plant"].nunique() > 1:
                value = roc_auc_score(lost[pair.index], pair[signal].fillna(0))
                rows.append(
                    {
                        "embeddings": f"AUROC of {signal}, {what} lost types against sound",
                        "n": len(pair),
                        "rings": value,
                    }
                )
    return pd.DataFrame(rows)
