from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from scpareto import pl

mpl.use("Agg")


@pytest.fixture(scope="module")
def codes() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(scale=4, size=(5, 8))[rng.choice(5, 150)] + rng.normal(size=(150, 8))


def displacement(a: np.ndarray, b: np.ndarray) -> float:
    """Mean distance that a cell moves, in units of the spread of `a`."""
    return float(np.linalg.norm(a - b, axis=1).mean() / np.sqrt(a.var(axis=0).sum()))


@pytest.mark.parametrize("basis", ["umap", "tsne"])
def test_embed_is_deterministic_and_aligned(codes, basis):
    other = codes + np.random.default_rng(1).normal(scale=0.2, size=codes.shape)
    first = pl.embed({3: other, 0: codes}, basis=basis)
    again = pl.embed({0: codes, 3: other}, basis=basis)
    assert list(first) == [0, 3]
    for point in first:
        assert first[point].shape == (150, 2)
        np.testing.assert_array_equal(first[point], again[point])
    alone = pl.embed({3: other}, basis=basis, seed=1)[3]
    moved, jumped = displacement(first[0], first[3]), displacement(first[0], alone)
    assert moved < 0.3
    assert moved < 0.6 * jumped


@pytest.mark.parametrize("basis", ["umap", "tsne"])
def test_embed_keeps_neighbours_at_every_point(codes, basis):
    from sklearn.manifold import trustworthiness

    halved = codes.copy()
    halved[:, :4] *= 0.5
    embeddings = pl.embed({0: codes, 1: halved}, basis=basis)
    assert trustworthiness(codes, embeddings[0], n_neighbors=15) > 0.9
    assert trustworthiness(halved, embeddings[1], n_neighbors=15) > 0.9


def test_embed_of_collapsed_codes_is_finite(codes):
    embeddings = pl.embed({0: codes[:60, :1], 1: np.zeros((60, 2))}, n_epochs=20)
    assert all(np.isfinite(xy).all() for xy in embeddings.values())


def test_embed_refuses_bad_input(codes):
    with pytest.raises(ValueError, match="valid: 'umap', 'tsne'"):
        pl.embed({0: codes}, basis="pca")
    with pytest.raises(ValueError, match="same cells.*0: 150, 1: 100"):
        pl.embed({0: codes, 1: codes[:100]})
    with pytest.raises(ValueError, match="not finite"):
        pl.embed({0: np.where(codes > 5, np.nan, codes)})
    with pytest.raises(ValueError, match="n_neighbors=10 must be .* less than the number of cells, 10"):
        pl.embed({0: codes[:10]}, n_neighbors=10)
    with pytest.raises(ValueError, match=r"shape \(n, d\)"):
        pl.embed({0: codes[:, 0]})
    with pytest.raises(ValueError, match="empty"):
        pl.embed({})


@pytest.fixture
def plane() -> dict[int, np.ndarray]:
    rng = np.random.default_rng(0)
    return {point: rng.normal(size=(200, 2)) for point in (0, 4, 11)}


def face_colors(ax: plt.Axes, xy: np.ndarray) -> list[str]:
    """Colour of each cell, in the order of `xy`."""
    (dots,) = [c for c in ax.collections if len(c.get_offsets()) == len(xy)]
    drawn = {tuple(o): to_hex(c) for o, c in zip(dots.get_offsets().data, dots.get_facecolors(), strict=True)}
    return [drawn[tuple(row)] for row in xy]


@pytest.mark.parametrize("basis", ["umap", "tsne"])
def test_codes_are_embedded_one_point_after_another(codes, basis, monkeypatch):
    embedded = []

    def short(codes: dict[int, np.ndarray], **arguments: object) -> dict[int, np.ndarray]:
        embedded.append((arguments, pl.embed(codes, n_epochs=1, **arguments)))
        return embedded[-1][1]

    monkeypatch.setattr("scpareto.pl._embedding.embed", short)
    axes = pl.front_embedding({0: codes[:50], 2: codes[50:100]}, {"batch": [0, 1] * 25}, basis=basis, seed=3)
    ((arguments, coordinates),) = embedded
    assert arguments == {"basis": basis, "seed": 3}
    order = np.random.default_rng(3).permutation(50)
    for ax, xy in zip(axes[0], coordinates.values(), strict=True):
        np.testing.assert_array_equal(ax.collections[0].get_offsets(), xy[order])


def test_basis_is_needed_for_codes_and_must_be_known(codes):
    with pytest.raises(ValueError, match=r"got \(150, 8\); give basis to embed codes"):
        pl.front_embedding({0: codes}, {"batch": [0] * 150})
    with pytest.raises(ValueError, match="basis='pca' is unknown; valid: 'umap', 'tsne'"):
        pl.front_embedding({0: codes}, {"batch": [0] * 150}, basis="pca")


def test_grid_has_a_row_for_each_colouring_and_a_column_for_each_point(plane):
    batch, kind = np.repeat([0, 1], 100), np.tile(["B", "T", "NK", "Mono"], 50)
    axes = pl.front_embedding(plane, {"batch": batch, "cell type": kind}, titles={0: "uncorrected"})
    assert axes.shape == (2, 3)
    assert [ax.get_title() for ax in axes[0]] == ["uncorrected", "point 4", "point 11"]
    assert [ax.get_ylabel() for ax in axes[:, 0]] == ["batch", "cell type"]
    for row, values in zip(axes, (batch, kind), strict=True):
        seen = [face_colors(ax, xy) for ax, xy in zip(row, plane.values(), strict=True)]
        assert seen[0] == seen[1] == seen[2]
        # one colour for each category
        assert len(set(zip(seen[0], values.tolist(), strict=True))) == len(set(seen[0])) == len(set(values))
        legends = [ax.get_legend() for ax in row]
        assert legends[:2] == [None, None]
        assert [t.get_text() for t in legends[2].get_texts()] == sorted(map(str, set(values.tolist())))
    assert len({ax.get_xlim() for ax in axes.flat}) == len({ax.get_ylim() for ax in axes.flat}) == 1


def test_no_batch_covers_the_others(plane):
    batch = np.repeat(["a", "b"], 100)
    axes = pl.front_embedding(plane, {"batch": batch})
    orders = [np.asarray(ax.collections[0].get_offsets()) for ax in axes[0]]
    row_of = {tuple(xy): i for i, xy in enumerate(plane[0])}
    order = np.array([row_of[tuple(xy)] for xy in orders[0]])
    late = (batch[order[100:]] == "b").mean()
    assert 0.35 < late < 0.65
    np.testing.assert_array_equal(orders[1], plane[4][order])
    again = pl.front_embedding(plane, {"batch": batch})
    np.testing.assert_array_equal(np.asarray(again[0, 0].collections[0].get_offsets()), orders[0])


def test_missing_values_are_grey_and_lie_below(plane):
    kind = pd.Series(np.tile(["B", "T"], 100), index=[f"cell{i}" for i in range(200)])
    kind.iloc[:40] = None
    axes = pl.front_embedding(plane, {"cell type": kind.astype("category")})
    assert [t.get_text() for t in axes[0, -1].get_legend().get_texts()] == ["B", "T", "missing"]
    seen = face_colors(axes[0, 0], plane[0])
    assert len(set(seen[:40])) == 1
    assert set(seen[:40]).isdisjoint(seen[40:])
    lowest = np.asarray(axes[0, 0].collections[0].get_offsets())[:40]
    assert {tuple(xy) for xy in lowest} == {tuple(xy) for xy in plane[0][:40]}


@pytest.mark.parametrize("n", [30, 40, 102])
def test_up_to_102_categories_have_a_colour_each(plane, n):
    axes = pl.front_embedding(plane, {"type": np.arange(200) % n})
    assert len(set(face_colors(axes[0, 0], plane[0]))) == n


def test_more_categories_than_colours_warn(plane):
    with pytest.warns(UserWarning, match="110 categories share 102 colours"):
        pl.front_embedding(plane, {"type": np.arange(200) % 110})


def test_palette_is_used_and_must_be_complete(plane):
    values = ["a", "b"] * 100
    axes = pl.front_embedding(plane, {"batch": values}, palette={"batch": {"a": "#112233", "b": "#445566"}})
    assert face_colors(axes[0, 0], plane[0])[:2] == ["#112233", "#445566"]
    with pytest.raises(ValueError, match="no colour for 'b'"):
        pl.front_embedding(plane, {"batch": values}, palette={"batch": {"a": "red"}})


def test_numbers_get_a_colour_bar(plane):
    values = np.linspace(0, 1, 200)
    values[:5] = np.nan
    axes = pl.front_embedding(plane, {"gene": values, "batch": ["a", "b"] * 100})
    seen = face_colors(axes[0, 0], plane[0])
    assert len(set(seen)) > 50
    assert len(set(seen[:5])) == 1
    assert [len(ax.child_axes) for ax in axes[:, -1]] == [1, 0]


def test_panels_keep_their_size_beside_a_long_legend(plane):
    def width(names: list[str]) -> float:
        ax = pl.front_embedding(plane, {"type": np.array(names)[np.arange(200) % len(names)]})[0, 0]
        ax.figure.canvas.draw()
        return ax.get_window_extent().width / ax.figure.dpi

    assert width(["a rather long name of a cell type", "b"]) == pytest.approx(width(["a", "b"]), rel=0.05)
    assert width([f"long cell type {i}" for i in range(30)]) == pytest.approx(1.6, rel=0.1)


def test_front_embedding_refuses_bad_input(plane):
    with pytest.raises(ValueError, match=r"colors\['batch'\] must have shape \(200,\), got \(3,\)"):
        pl.front_embedding(plane, {"batch": ["a", "b", "c"]})
    with pytest.raises(ValueError, match=r"embeddings\[5\] must have shape"):
        pl.front_embedding({**plane, 5: np.zeros((3, 2))}, {"batch": ["a"] * 200})
    with pytest.raises(ValueError, match="not finite"):
        pl.front_embedding({0: np.full((200, 2), np.nan)}, {"batch": ["a"] * 200})
    with pytest.raises(ValueError, match=r"axes must have shape \(1, 3\)"):
        pl.front_embedding(plane, {"batch": ["a"] * 200}, axes=plt.subplots(1, 2, squeeze=False)[1])
    with pytest.raises(ValueError, match="colors is empty"):
        pl.front_embedding(plane, {})
    with pytest.raises(ValueError, match="embeddings is empty"):
        pl.front_embedding({}, {"batch": []})


def test_settings_are_untouched_and_the_picture_is_not_blank(plane, tmp_path):
    before = dict(mpl.rcParams)
    axes = pl.front_embedding(plane, {"batch": ["a", "b"] * 100})
    axes[0, 0].figure.savefig(tmp_path / "embedding.png", dpi=100)
    assert dict(mpl.rcParams) == before
    image = plt.imread(tmp_path / "embedding.png")
    assert (image[..., :3].min(axis=2) < 0.7).mean() > 0.02
