"""The plane of judged embeddings and their populations."""

from __future__ import annotations

import anndata
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import scpareto.pl as pl


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


def plane(**changes):
    columns = {
        "batch_left": [100.0, 12.0, 1.0, np.nan],
        "batch_left_low": [100.0, 4.0, -1.0, np.nan],
        "batch_left_high": [100.0, 20.0, 3.0, np.nan],
        "structure_kept": [99.0, 99.2, 99.4, 98.0],
        "structure_kept_low": [98.0, 98.2, 98.4, 97.0],
        "structure_kept_high": [99.9, 99.9, 99.9, 99.0],
        "recommended": [False, False, True, False],
        "alarm": [False, True, False, False],
    }
    return pd.DataFrame(columns | changes, index=["X_pca", "X_combat", "X_harmony", "graph"])


def ids(ax, gid):
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def test_marks_intervals_and_verdict_are_drawn():
    ax = pl.judge(plane())
    assert len(ids(ax, "embedding")[0].get_offsets()) == 3
    assert len(ids(ax, "interval")) == 6
    np.testing.assert_allclose(ids(ax, "alarm")[0].get_offsets(), [[12.0, 99.2]])
    np.testing.assert_allclose(ids(ax, "recommended")[0].get_offsets(), [[1.0, 99.4]])
    assert "better" in ax.get_xlabel()
    assert "better" in ax.get_ylabel()
    assert ax.get_xlabel().endswith("graph")
    assert ax.get_title(loc="left").startswith("X_harmony: 1 % of the batch left")


def test_names_do_not_overlap_and_lie_nearest_to_their_own_point():
    ax = pl.judge(plane())
    ax.figure.draw_without_rendering()
    written = {text.get_text(): text for text in ax.texts}
    texts = [written[name] for name in ("X_pca", "X_combat", "X_harmony")]
    # Of the text alone, without its leader.
    boxes = [super(type(text), text).get_window_extent() for text in texts]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
    points = ax.transData.transform(plane()[["batch_left", "structure_kept"]].to_numpy()[:3])
    for i, box in enumerate(boxes):
        beyond = np.maximum(np.maximum(box.min - points, points - box.max), 0)
        assert np.hypot(*beyond.T).argmin() == i


def test_without_a_recommendation_the_title_says_so_in_several_lines():
    ax = pl.judge(plane(recommended=False))
    assert ax.get_title(loc="left").startswith("None is recommended")
    assert "\n" in ax.get_title(loc="left")


def cells(embeddings=("X_pca", "X_harmony")):
    names = ["T cells (CD3D, IL7R, TRAC)", "B cells", "no counterpart in another batch"]
    rows = []
    for number, name in zip([0, 1, -1], names, strict=True):
        for embedding in embeddings:
            left = {0: 100.0 if embedding == "X_pca" else 15.0}.get(number, np.nan)
            rows.append(
                {"population": number, "name": name, "embedding": embedding, "n_cells": 100}
                | {"batch_left": left, "batch_left_low": left - 5, "batch_left_high": left + 5}
                | {"structure_kept": 80.0, "structure_kept_low": 78.0, "structure_kept_high": 82.0}
                | {"structure_of_reference": 95.0, "batch_stays": False, "structure_lost": embedding == "X_harmony"}
            )
    adata = anndata.AnnData(np.zeros((2, 1)))
    adata.uns["scpareto"] = {"judge": {"populations": pd.DataFrame(rows)}}
    return adata


def test_each_population_has_a_row_and_each_embedding_a_mark():
    axes = pl.judge_populations(cells())
    assert [len(ids(ax, "embedding")) for ax in axes] == [2, 6]
    assert [len(ids(ax, "flag")) for ax in axes] == [0, 3]
    assert len(ids(axes[1], "reference")) == 3
    assert [label.get_text().split("\n")[0] for label in axes[0].get_yticklabels()] == [
        "T cells",
        "B cells",
        "no counterpart in another batch",
    ]
    assert "CD3D, IL7R, TRAC, 100 cells" in axes[0].get_yticklabels()[0].get_text()
    assert [text.get_text() for text in axes[0].texts] == ["no batch effect here"]


def test_one_embedding_is_drawn_alone_with_its_own_colour():
    both, alone = pl.judge_populations(cells()), pl.judge_populations(cells(), "X_harmony")
    assert len(ids(alone[1], "embedding")) == 3
    color = ids(alone[1], "embedding")[0].get_facecolor()
    np.testing.assert_allclose(ids(both[1], "embedding")[1].get_facecolor(), color)
    with pytest.raises(KeyError, match="X_umap.* was not judged; judged were 'X_pca', 'X_harmony'"):
        pl.judge_populations(cells(), ["X_umap"])


def test_populations_ask_for_a_judgement():
    with pytest.raises(KeyError, match="run sp.tl.judge"):
        pl.judge_populations(anndata.AnnData(np.zeros((2, 1))))
