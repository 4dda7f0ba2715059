"""Every data set of scinfovae_clustering.py in two dimensions, by annotated type and by cluster of ScInfoVAE.

    python experiments/scinfovae_pictures.py

Reads the codes that scinfovae_clustering.py has left in results/points/scinfovae_codes and writes
results/scinfovae_embeddings.png.
"""

from __future__ import annotations

import numpy as np
from shared import RESULTS

CODES, FIGURE = RESULTS / "points" / "scinfovae_codes", RESULTS / "scinfovae_embeddings.png"
DATASETS = ("worm_neuron", "mouse_bladder_2100", "pbmc_facs", "paul15_myeloid")


def main() -> None:
    import matplotlib.pyplot as plt
    import umap
    from sklearn.manifold import TSNE
    from sklearn.metrics import adjusted_rand_score

    from scpareto.pl._style import COLUMN_WIDTH, LABEL_SIZE, NOTE_SIZE

    found = [name for name in DATASETS if (CODES / f"{name}.npz").exists()]
    if not found:
        raise SystemExit(f"{CODES} holds no codes. Run scinfovae_clustering.py first.")
    height = 1.75 * len(found) + 0.3
    figure, axes = plt.subplots(len(found), 4, figsize=(2 * COLUMN_WIDTH, height), squeeze=False, layout="constrained")
    for number, (row, name) in enumerate(zip(axes, found, strict=True)):
        stored = np.load(CODES / f"{name}.npz")
        codes, labels, clusters = stored["codes"], stored["labels"], stored["clusters"]
        planes = {
            "UMAP": umap.UMAP(random_state=0).fit_transform(codes),
            "t-SNE": TSNE(random_state=0, init="pca").fit_transform(codes),
        }
        looks = [(labels, "annotated type"), (matched(labels, clusters), "cluster")]
        panels = [(plane, look) for plane in planes.items() for look in looks]
        for axis, ((method, plane), (groups, by)) in zip(row, panels, strict=True):
            axis.scatter(*plane.T, c=colours(labels, groups), s=1.2, lw=0, rasterized=True)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
            if number == 0:
                axis.set_title(f"{method}: {by}", fontsize=LABEL_SIZE)
        row[0].set_ylabel(f"{name}\n{len(codes)} cells, {len(set(labels))} types", fontsize=NOTE_SIZE)
        row[1].set_xlabel(f"ARI {adjusted_rand_score(labels, clusters):.2f}", fontsize=NOTE_SIZE)
    figure.savefig(FIGURE, dpi=200)


def matched(labels: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Clusters under the names of the types that they match best one to one, so that colours agree."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics.cluster import contingency_matrix

    types, numbers = np.unique(labels), np.unique(clusters)
    rows, columns = linear_sum_assignment(contingency_matrix(labels, clusters), maximize=True)
    names = {numbers[j]: types[i] for i, j in zip(rows, columns, strict=True)}
    return np.array([names.get(cluster, f"other {cluster}") for cluster in clusters])


def colours(labels: np.ndarray, groups: np.ndarray) -> list[str]:
    """Colour of each cell's group; types have the colours of the package, from the largest on."""
    from scpareto.pl._palette import category_colors

    types, sizes = np.unique(labels, return_counts=True)
    order = [*types[np.argsort(-sizes, kind="stable")], *sorted(set(groups) - set(types))]
    palette = category_colors(order)
    return [palette[group] for group in groups]


if __name__ == "__main__":
    main()
