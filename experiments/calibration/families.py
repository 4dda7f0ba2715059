"""What is kept of structure, for families of methods that keep equally much of it.

Claim under test: ``structure_kept`` favours no family. Families that keep equally much of the true neighbourhoods get
equal numbers, within less than a tenth of what separates levels of true loss.

Cells have a true place in eight dimensions (types, and Gaussian programmes within them), and Poisson counts that follow
it, in two batches. Noise is added to the places before the map of a family, as much as leaves 85, 70 or 50 % of true
neighbourhoods in what the map returns: how much nearer in the true places a cell's neighbours are than random cells,
relative to the true nearest neighbours. Linear maps: a turn, as of principal components, and a turn that scales each
dimension. Neural ones: two invertible layers of tanh, and a code that is stretched away from its middle. Graphs: the 15
nearest neighbours, and the same in both directions, which has more for cells in the middle.

Cases: genes that no embedding has seen; and genes that all have seen, where the places are principal components of the
very counts that are judged, with their noise.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

SEEDS = 10
SETTINGS = {"small": 1200, "full": 4000}
N_LATENT, N_TYPES, N_GENES, N_NEIGHBORS = 8, 5, 300, 15
LEVELS = (85.0, 70.0, 50.0)
KIND = {
    "turned": "linear",
    "scaled": "linear",
    "tanh layers": "neural",
    "stretched": "neural",
    "nearest neighbours": "graph",
    "both directions": "graph",
}
CASES: dict[str, bool] = {"unused genes": False, "seen genes": True}
_STEPS = 9
"""Halvings of the noise: the true share is then within about .3 points of its level."""


def judge(setting: str, case: str, seed: int) -> pd.DataFrame:
    """One draw of cells, one row per family and level."""
    from scpareto.metrics import programme_scores, structure_kept

    rng = np.random.default_rng([seed, 6])
    cells = simulate(SETTINGS[setting], rng)
    places = components_of(cells) if CASES[case] else cells["places"]
    noise = rng.normal(size=places.shape) * places.std()
    maps = draw_maps(rng)
    truth, embeddings, rows = Truth(cells["places"]), {}, []
    for level in LEVELS:
        for name, own in maps.items():
            size, embedding = at_level(level, places, noise, own, truth)
            embeddings[f"{name}, {level:g}"] = embedding
            reached = truth.share(embedding)
            rows.append({"family": KIND[name], "map": name, "truth": level, "noise": size, "reached": reached})
    begun = time.process_time()
    programmes = programme_scores(
        cells["counts"],
        cells["batch"],
        used_genes=None if CASES[case] else np.zeros(N_GENES, dtype=bool),
        populations=cells["types"],
        seed=seed,
    )
    found = structure_kept(embeddings, programmes, n_neighbors=N_NEIGHBORS, n_bootstrap=50, seed=seed)
    seconds = time.process_time() - begun
    kept = found.table.set_index("embedding").loc[list(embeddings), ["structure_kept", "low", "high", "n_neighbors"]]
    table = pd.concat([pd.DataFrame(rows), kept.reset_index(drop=True)], axis=1)
    return table.assign(setting=setting, case=case, seed=seed, seconds=seconds)


def simulate(n_cells: int, rng: np.random.Generator) -> dict[str, Any]:
    """True places, and the counts that follow them in two batches."""
    types, batch = rng.integers(N_TYPES, size=n_cells), np.arange(n_cells) % 2
    places = 1.5 * rng.normal(size=(N_TYPES, N_LATENT))[types] + rng.normal(size=(n_cells, N_LATENT))
    weights = 0.25 * rng.normal(size=(N_LATENT, N_GENES))
    of_batch = 0.5 * rng.normal(size=(2, N_GENES))[batch]
    logs = rng.normal(size=N_GENES) + places @ weights + of_batch + 0.3 * rng.normal(size=(n_cells, 1))
    return {"places": places, "types": types, "batch": batch, "counts": rng.poisson(np.exp(np.minimum(logs, 6.0)))}


def components_of(cells: dict[str, Any]) -> np.ndarray:
    """Principal components of the log-normalised counts, without the mean of each batch."""
    counts = cells["counts"]
    logged = np.log1p(1e4 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    for b in np.unique(cells["batch"]):
        logged[cells["batch"] == b] -= logged[cells["batch"] == b].mean(axis=0)
    u, s, _ = np.linalg.svd(logged, full_matrices=False)
    return u[:, :N_LATENT] * s[:N_LATENT]


def draw_maps(rng: np.random.Generator) -> dict[str, Any]:
    """One map for each family, from noisy places to codes or a graph."""
    turns = [np.linalg.qr(rng.normal(size=(N_LATENT, N_LATENT)))[0] for _ in range(4)]
    scales = np.exp(0.5 * rng.normal(size=N_LATENT))

    def tanh_layers(x: np.ndarray) -> np.ndarray:
        first = np.tanh(x / x.std() @ turns[1] / 1.5)
        return np.tanh(1.5 * first @ turns[2])

    def stretched(x: np.ndarray) -> np.ndarray:
        return np.sinh(x / x.std() @ turns[3])

    def both_directions(x: np.ndarray) -> Any:
        graph = nearest(x)
        return graph.maximum(graph.T)

    return {
        "turned": lambda x: x @ turns[0],
        "scaled": lambda x: x @ turns[0] * scales,
        "tanh layers": tanh_layers,
        "stretched": stretched,
        "nearest neighbours": nearest,
        "both directions": both_directions,
    }


def nearest(codes: np.ndarray, n_neighbors: int = N_NEIGHBORS) -> Any:
    """Graph of the nearest neighbours, without the cell itself."""
    from sklearn.neighbors import kneighbors_graph

    return kneighbors_graph(codes, n_neighbors, include_self=False).tocsr()


class Truth:
    """The true places, and what as many true neighbours as an embedding has save."""

    def __init__(self, places: np.ndarray) -> None:
        self.places = places
        self._saved: dict[int, float] = {}

    def share(self, embedding: Any) -> float:
        """Distance in the true places that neighbours save, in % of what true neighbours save."""
        from scipy import sparse

        graph = embedding if sparse.issparse(embedding) else nearest(embedding)
        degree = round(graph.nnz / len(self.places))
        if degree not in self._saved:
            self._saved[degree] = self.saved(nearest(self.places, degree))
        return 100 * self.saved(graph) / self._saved[degree]

    def saved(self, graph: Any) -> float:
        """How much nearer neighbours are than random cells."""
        return float(2 * self.places.var(axis=0).sum() - apart(graph, self.places))


def apart(graph: Any, places: np.ndarray) -> float:
    """Mean squared distance of cells from their neighbours, every cell counting as much as any other."""
    pairs = graph.tocoo()
    squared = ((places[pairs.row] - places[pairs.col]) ** 2).sum(axis=1)
    return float((np.bincount(pairs.row, squared) / np.bincount(pairs.row)).mean())


def at_level(level: float, places: np.ndarray, noise: np.ndarray, own: Any, truth: Truth) -> tuple[float, Any]:
    """Noise with which the map of noisy places keeps a level of the true neighbourhoods, and the embedding."""
    low, high = 0.0, 4.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if truth.share(own(places + middle * noise)) > level else (low, middle)
    size = (low + high) / 2
    return size, own(places + size * noise)


def summarise(table: pd.DataFrame) -> pd.DataFrame:
    """Mean by map and level, the spread over seeds, and how far the maps of a level lie apart beside the levels."""
    keys = ["setting", "case", "truth"]
    rows = table.groupby([*keys, "family", "map"], sort=False).agg(
        n=("seed", "size"),
        noise=("noise", "mean"),
        reached=("reached", "mean"),
        structure_kept=("structure_kept", "mean"),
        sd=("structure_kept", "std"),
    )
    rows = rows.reset_index()
    # Of the same cells: what a map gets more than the mean of all maps at its level.
    level_mean = table.groupby([*keys, "seed"])["structure_kept"].transform("mean")
    favoured = table.assign(favoured=table["structure_kept"] - level_mean).groupby([*keys, "map"])["favoured"]
    told = favoured.agg(favoured="mean", favoured_sd="std").reset_index()
    rows = rows.merge(told, on=[*keys, "map"])
    means = rows.groupby(keys, sort=False)["structure_kept"].agg(["mean", "min", "max"]).reset_index()
    means["of maps"] = means["max"] - means["min"]
    means["to next level"] = means.groupby(["setting", "case"])["mean"].diff(-1)
    return rows.merge(means[[*keys, "of maps", "to next level"]], on=keys)
