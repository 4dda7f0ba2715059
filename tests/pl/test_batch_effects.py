from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from scpareto import pl, pp
from scpareto.datasets import simulate_multiplicative


@pytest.fixture(scope="module")
def adata():
    adata = simulate_multiplicative(500, 80, scenario="S3", seed=0)
    pp.adjust_counts(adata)
    return adata


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def drawn(ax, gid: str) -> list:
    return [artist for artist in ax.get_children() if artist.get_gid() == gid]


def test_effects_are_sorted_curves_in_the_colours_of_the_cells(adata):
    axes = pl.batch_effects(adata)
    curves = drawn(axes[0, 0], "effect")
    for curve, batch in zip(curves, adata.varm["batch_effect"], strict=True):
        np.testing.assert_allclose(curve.get_ydata(), np.sort(np.log2(adata.varm["batch_effect"][batch])))
    (cells,) = drawn(axes[1, 1], "cells")
    shown = {mpl.colors.to_hex(color) for color in cells.get_facecolors()}
    assert shown == {mpl.colors.to_hex(curve.get_color()) for curve in curves}


def test_donor_shares_are_written_into_their_cells(adata):
    ax = pl.batch_effects(adata)[0, 1]
    share = adata.uns["scpareto"]["adjust_counts"]["donor_share"]
    written = {text.get_position(): int(text.get_text()) for text in ax.texts}
    assert written == {(c, r): round(100 * share[r, c]) for r in range(3) for c in range(3) if r != c}


def test_likelihood_that_is_left_falls_to_nothing(adata):
    ax = pl.batch_effects(adata)[0, 2]
    (line,) = drawn(ax, "likelihood")
    trace = adata.uns["scpareto"]["adjust_counts"]["log_likelihood"]
    np.testing.assert_allclose(line.get_ydata(), trace[-1] - trace[:-1])
    assert (np.diff(line.get_ydata()) < 0).all()


def test_means_of_adjusted_counts_agree_between_batches(adata):
    raw, adjusted = drawn(pl.batch_effects(adata)[1, 0], "means")
    error = [np.std(np.diff(dots.get_offsets(), axis=1)) for dots in (raw, adjusted)]
    assert error[1] < 0.1 * error[0]
    assert float(adjusted.get_label().split(": ")[1]) == pytest.approx(error[1], abs=0.02)


def test_large_data_are_sampled(adata):
    (cells,) = drawn(pl.batch_effects(adata, max_cells=100)[1, 2], "cells")
    assert len(cells.get_offsets()) == 100


def test_given_axes(adata):
    _, grid = plt.subplots(2, 3)
    assert pl.batch_effects(adata, axes=grid) is grid
    with pytest.raises(ValueError, match=r"axes must have shape \(2, 3\), got \(3,\)"):
        pl.batch_effects(adata, axes=grid[0])


def test_what_is_missing_is_named(adata):
    with pytest.raises(KeyError, match="run sp.pp.adjust_counts"):
        pl.batch_effects(simulate_multiplicative(50, 20))
    with pytest.raises(ValueError, match="max_cells=5 must be at least 10"):
        pl.batch_effects(adata, max_cells=5)
    other = adata.copy()
    del other.layers["adjusted"]
    with pytest.raises(KeyError, match="'adjusted' is no longer in adata.layers"):
        pl.batch_effects(other)


def test_data_and_settings_are_untouched_and_the_picture_is_not_blank(adata, tmp_path):
    settings, before = dict(mpl.rcParams), adata.copy()
    figure = pl.batch_effects(adata)[0, 0].figure
    figure.savefig(tmp_path / "effects.png", dpi=100)
    assert dict(mpl.rcParams) == settings
    assert (adata.X != before.X).nnz == 0
    assert list(adata.obsm) == list(before.obsm)
    assert (plt.imread(tmp_path / "effects.png")[..., :3].min(axis=2) < 0.7).mean() > 0.02
