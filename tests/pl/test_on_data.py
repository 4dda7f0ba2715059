"""Names of types on their cells."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex

from scpareto import pl

mpl.use("Agg")


def clusters(centres, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return np.repeat(centres, n, axis=0) + rng.normal(scale=0.1, size=(n * len(centres), 2)), np.repeat(
        [f"type {i}" for i in range(len(centres))], n
    )


def boxes(ax):
    ax.figure.draw_without_rendering()
    return np.array([text.get_window_extent().extents for text in ax.texts])


def test_names_stand_at_the_medians_of_clusters_that_lie_apart():
    xy, kind = clusters([[0, 0], [10, 0], [0, 10], [10, 10]])
    (ax,) = pl.front_embedding({0: xy}, {"type": kind}, legend_loc="on data", panel_size=3)[0]
    assert [text.get_text() for text in ax.texts] == ["type 0", "type 1", "type 2", "type 3"]
    for text in ax.texts:
        np.testing.assert_allclose(text.get_position(), np.median(xy[kind == text.get_text()], axis=0), atol=1e-6)
        (outline,) = text.get_path_effects()
        assert to_hex(outline._gc["foreground"]) == "#ffffff"
    assert ax.get_legend() is None


def test_names_cover_neither_each_other_nor_the_frame():
    centres = np.random.default_rng(1).normal(scale=0.3, size=(15, 2))
    xy, kind = clusters([*centres, [8.0, 8.0], [-8.0, -8.0]])
    (ax,) = pl.front_embedding({0: xy}, {"type": kind}, legend_loc="on data", panel_size=3)[0]
    places = boxes(ax)
    frame = ax.get_window_extent().extents
    assert (places[:, :2] >= frame[:2] - 1).all()
    assert (places[:, 2:] <= frame[2:] + 1).all()
    shared = np.minimum(places[:, None, 2:], places[None, :, 2:]) - np.maximum(places[:, None, :2], places[None, :, :2])
    shared = (shared > 1.0).all(axis=2) & ~np.eye(len(places), dtype=bool)
    assert not shared.any()


def test_each_colouring_has_its_place_and_numbers_have_no_names():
    xy, kind = clusters([[0, 0], [5, 5]])
    colors = {"type": kind, "batch": ["a", "b"] * 40, "gene": np.linspace(0, 1, 80)}
    axes = pl.front_embedding({0: xy, 1: xy}, colors, legend_loc={"type": "on data", "gene": "on data"})
    assert [[len(ax.texts) for ax in row] for row in axes] == [[2, 2], [0, 0], [0, 0]]
    assert [row[-1].get_legend() is None for row in axes] == [True, False, True]
    assert not pl.front_embedding({0: xy}, {"type": kind}, legend_loc="on data", legend=False)[0, 0].texts


def test_cells_without_a_type_have_no_name():
    xy, kind = clusters([[0, 0], [5, 5]])
    named = np.where(kind == "type 0", None, kind)
    assert [t.get_text() for t in pl.front_embedding({0: xy}, {"t": named}, legend_loc="on data")[0, 0].texts] == [
        "type 1"
    ]


def test_unknown_places_are_refused():
    xy, kind = clusters([[0, 0], [5, 5]])
    with pytest.raises(ValueError, match="legend_loc='inside' is unknown; valid: 'right margin', 'on data'"):
        pl.front_embedding({0: xy}, {"type": kind}, legend_loc="inside")
    with pytest.raises(ValueError, match="legend_loc names 'kind'; colourings are 'type'"):
        pl.front_embedding({0: xy}, {"type": kind}, legend_loc={"kind": "on data"})
