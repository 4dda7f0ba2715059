"""Cells are drawn from an AnnData by keys, and along the front of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from scpareto import pl
from scpareto.datasets import simulate_multiplicative
from scpareto.pareto import Front
from scpareto.pp import adjust_counts

if TYPE_CHECKING:
    import anndata

mpl.use("Agg")


@pytest.fixture
def embedded(monkeypatch) -> list[dict]:
    """Calls of `embed`, which takes the first two dimensions only."""
    calls = []

    def first_two(codes, **given):
        calls.append(dict(codes))
        return {point: np.asarray(code)[:, :2] for point, code in codes.items()}

    monkeypatch.setattr("scpareto.pl._embedding.embed", first_two)
    return calls


@pytest.fixture
def adata(cells) -> anndata.AnnData:
    made = cells()
    rng = np.random.default_rng(0)
    made.obsm["X_late"], made.obsm["X_early"] = rng.normal(size=(2, made.n_obs, 4))
    made.obsm["X_map"] = 100 * rng.normal(size=(made.n_obs, 2))
    facts = {"X_late": {"point": 4}, "X_early": {"point": 0}, "X_gone": {"point": 1}}
    made.uns["scpareto"] = {"embeddings": facts}
    return made


def xy(ax) -> np.ndarray:
    return np.sort(np.asarray(ax.collections[0].get_offsets()), axis=0)


def test_noted_embeddings_are_drawn_from_the_least_corrected_on(adata, embedded):
    axes = pl.front_embedding(adata, ["batch", "cell_type", "n_counts"])
    assert [ax.get_title() for ax in axes[0]] == ["X_early", "X_late"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["batch", "cell_type", "n_counts"]
    np.testing.assert_array_equal(embedded[0][0], adata.obsm["X_early"])
    np.testing.assert_allclose(xy(axes[0, 1]), np.sort(adata.obsm["X_late"][:, :2], axis=0))


def test_coordinates_are_drawn_as_they_are_with_limits_of_their_own(adata, embedded):
    adata.obsm["X_small"] = adata.obsm["X_map"] / 1000
    axes = pl.front_embedding(adata, "batch", use_rep=["X_map", "X_small"], titles={"X_map": "UMAP"})
    assert not embedded
    assert [ax.get_title() for ax in axes[0]] == ["UMAP", "X_small"]
    np.testing.assert_allclose(xy(axes[0, 0]), np.sort(adata.obsm["X_map"], axis=0))
    assert np.ptp(axes[0, 0].get_xlim()) == pytest.approx(1000 * np.ptp(axes[0, 1].get_xlim()))


def test_a_model_is_drawn_at_the_ends_the_recommended_and_the_selected_point(adata, front_model, embedded):
    model = front_model(adata, selected=3)
    model.front.selected = 3
    axes = pl.front_embedding(model, "cell_type")
    points = sorted({0, 4, 3, model.front.recommended})
    assert model.visited == points
    assert model.selected == 3
    assert [ax.get_title().split(",")[0] for ax in axes[0]] == [f"point {point}" for point in points]
    assert "point 3, selected" in [ax.get_title() for ax in axes[0]]
    assert list(embedded[0]) == points
    titles = [ax.get_title() for ax in pl.front_embedding(model, "cell_type", points=[1, 4])[0]]
    assert titles[0].startswith("point 1")
    assert len(titles) == 2
    with pytest.raises(ValueError, match=r"points: 2 is not a point of this front; points: \[0, 1, 3, 4\]"):
        pl.front_embedding(model, "cell_type", points=[2])


def test_a_front_with_codes_is_drawn_with_a_table(adata, embedded):
    codes = {0: adata.obsm["X_early"], 1: adata.obsm["X_late"]}
    table = pd.DataFrame({"point": [0, 1], "value": [0.0, 2.0], "batch_left": [50.0, 5.0]})
    record = {"knob": "theta", "method": "harmony", "library": "", "failed": {}, "key": ""}
    front = Front(table, objectives=["generative_loss", "theta"], metadata={"sweep": record}, codes=codes)
    axes = pl.front_embedding(front, adata.obs[["batch"]])
    assert [ax.get_title().split(",")[0] for ax in axes[0]] == ["theta 0", "theta 2"]
    with pytest.raises(TypeError, match="name columns of adata.obs, and a Front holds no cells"):
        pl.front_embedding(front, ["batch"])
    with pytest.raises(TypeError, match="The front keeps no codes"):
        pl.front_embedding(Front(table, objectives=["generative_loss", "theta"]), adata.obs[["batch"]])


def test_what_cannot_be_found_is_named(adata, front_model):
    with pytest.raises(KeyError, match="colors: 'celltype' is not in adata.obs; its columns are batch, cell_type"):
        pl.front_embedding(adata, ["celltype"])
    with pytest.raises(KeyError, match="use_rep: 'X_pca' is not in adata.obsm; there are 'X_late'"):
        pl.front_embedding(adata, "batch", use_rep="X_pca")
    with pytest.raises(ValueError, match="use_rep='X_map' names keys of adata.obsm: give an AnnData, got FrontModel"):
        pl.front_embedding(front_model(adata), "batch", use_rep="X_map")
    with pytest.raises(ValueError, match=r"points=\[0\] are of a model or a front, got AnnData"):
        pl.front_embedding(adata, "batch", points=[0])
    with pytest.raises(TypeError, match="embeddings must be a dict of arrays .* a model with a front, .* got ndarray"):
        pl.front_embedding(adata.obsm["X_map"], {"batch": adata.obs["batch"]})
    model = front_model(adata)
    model.front = None
    with pytest.raises(ValueError, match="The FrontModel has no front yet"):
        pl.front_embedding(model, "batch")
    del adata.uns["scpareto"]
    with pytest.raises(KeyError, match="stores no embeddings: give use_rep, keys of adata.obsm"):
        pl.front_embedding(adata, "batch")
    assert not plt.get_fignums()


def test_factors_of_an_anndata_are_those_of_its_arrays(adata):
    scale = np.full((adata.n_obs, 4), 0.3)
    adata.obsm["X_scale"] = scale
    one = pl.disentanglement(adata, ["n_counts", "cell_type"], use_rep="X_late", scale="X_scale")
    other = pl.disentanglement(adata.obsm["X_late"], adata.obs[["n_counts", "cell_type"]], scale=scale)
    for ax, same in zip(one, other, strict=True):
        assert ax.get_title(loc="left") == same.get_title(loc="left")
        assert [bar.get_height() for bar in ax.patches] == [bar.get_height() for bar in same.patches]
    with pytest.raises(ValueError, match="use_rep must name the codes of the AnnData; its keys of obsm: 'X_late'"):
        pl.disentanglement(adata, ["n_counts"])
    with pytest.raises(KeyError, match="scale='X_no' is not in adata.obsm"):
        pl.disentanglement(adata, ["n_counts"], use_rep="X_late", scale="X_no")
    with pytest.raises(KeyError, match="factors: 'age' is not in adata.obs"):
        pl.disentanglement(adata, ["age"], use_rep="X_late")
    with pytest.raises(TypeError, match="are of an AnnData: give one as codes"):
        pl.disentanglement(adata.obsm["X_late"], ["n_counts"])


def test_types_of_a_traversal_have_the_colours_of_the_cells_and_a_legend(adata):
    moved, values = np.random.default_rng(0).normal(size=(2, 3, adata.n_vars)), [[0, 1, 2]] * 2
    stored = {"B": "#102030", "NK": "#405060", "T": "#708090"}
    adata.uns["cell_type_colors"] = list(stored.values())

    def colors(ax) -> set[str]:
        (dots,) = [c for c in ax.collections if c.get_gid() == "real"]
        return {to_hex(color) for color in dots.get_facecolors()}

    axes = pl.traversal(adata, moved, values, labels="cell_type")
    assert colors(axes[0]) == set(stored.values())
    (legend,) = axes[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == list(stored)
    plain = pl.traversal(adata.X.toarray(), moved, values, labels=adata.obs["cell_type"], legend_loc="on data")
    del adata.uns["cell_type_colors"]
    (dots, *_) = pl.front_embedding(adata, "cell_type", use_rep="X_map")[0, 0].collections
    assert colors(plain[0]) == {to_hex(color) for color in dots.get_facecolors()}
    assert sorted(text.get_text() for text in plain[1].texts) == list(stored)
    assert not plain[0].figure.legends
    with pytest.raises(KeyError, match="labels='kind' is not in adata.obs"):
        pl.traversal(adata, moved, values, labels="kind")
    with pytest.raises(KeyError, match="layer='counts' is not in adata.layers; there are none"):
        pl.traversal(adata, moved, values, layer="counts")
    with pytest.raises(ValueError, match="legend_loc='left' is unknown; valid: 'right margin', 'on data', 'none'"):
        pl.traversal(adata, moved, values, legend_loc="left")


def test_batches_have_the_colours_of_the_cells(tmp_path):
    adata = simulate_multiplicative(300, 60, seed=0)
    adjust_counts(adata)
    names = [*adata.varm["batch_effect"].columns]
    adata.obs["batch"] = adata.obs["batch"].astype("category")
    assert list(adata.obs["batch"].cat.categories) == names
    stored = ["#102030", "#405060", "#708090", "#a0b0c0"][: len(names)]
    adata.uns["batch_colors"] = stored
    lines = [line for line in pl.batch_effects(adata)[0, 0].lines if line.get_gid() == "effect"]
    assert [to_hex(line.get_color()) for line in lines] == stored
    own = dict.fromkeys(names, "red")
    figure = pl.batch_effects(adata, palette=own, return_fig=True, save=tmp_path / "effects.png")
    assert {to_hex(line.get_color()) for line in figure.axes[0].lines if line.get_gid() == "effect"} == {"#ff0000"}
    assert (tmp_path / "effects.png").stat().st_size > 10_000
    for draw in (pl.batch_effects, pl.judge, pl.judge_populations, pl.survives):
        with pytest.raises(TypeError, match="adata must be an AnnData .* got str"):
            draw("cells.h5ad")
