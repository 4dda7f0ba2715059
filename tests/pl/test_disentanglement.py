from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from scpareto import pl
from scpareto.metrics import mutual_information_gap, spearman_gap


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def coded():
    rng = np.random.default_rng(0)
    factors = pd.DataFrame({"step": rng.integers(5, size=300), "branch": rng.choice(["x", "y", "z"], 300)})
    codes = np.column_stack([factors["step"] + 0.1 * rng.normal(size=300), rng.normal(size=(300, 2))])
    return codes, factors


def heights(ax, gid):
    return [bar.get_height() for bar in ax.patches if bar.get_gid() == gid]


def test_bars_are_the_tables_of_the_metrics(coded):
    codes, factors = coded
    scale = np.full_like(codes, 0.3)
    axes = pl.disentanglement(codes, factors, scale=scale)
    assert axes.shape == (2,)
    np.testing.assert_allclose(heights(axes[0], "spearman"), spearman_gap(codes, factors[["step"]]).table.loc["step"])
    information = mutual_information_gap(codes, factors, scale=scale).table
    for ax, name in zip(axes, factors, strict=True):
        np.testing.assert_allclose(heights(ax, "information"), information.loc[name].clip(lower=0))
    assert heights(axes[1], "spearman") == []
    assert "step" in axes[0].get_title(loc="left")


def test_without_scales_there_is_no_information(coded):
    codes, factors = coded
    axes = pl.disentanglement(codes, factors[["step"]])
    assert heights(axes[0], "information") == []
    assert len(heights(axes[0], "spearman")) == 3


def test_given_axes_are_used(coded):
    codes, factors = coded
    _, grid = plt.subplots(1, 2)
    assert pl.disentanglement(codes, factors, axes=grid)[0] is grid[0]
    with pytest.raises(ValueError, match="2 factors need as many axes, got 1"):
        pl.disentanglement(codes, factors, axes=[grid[0]])


def test_traversal_places_every_value_and_colours_it():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(80, 6))
    moved = np.stack([np.linspace(-2, 2, 5)[:, None] * np.eye(6)[d] for d in range(2)])
    values = np.tile(np.linspace(-2, 2, 5), (2, 1))
    axes = pl.traversal(real, moved, values, labels=np.repeat(["a", "b"], 40), titles=["first", "second"])
    assert [ax.get_title() for ax in axes] == ["first", "second"]
    for ax, some in zip(axes, values, strict=True):
        dots = {c.get_gid(): c for c in ax.collections}
        assert dots["real"].get_offsets().shape == (80, 2)
        assert dots["moved"].get_offsets().shape == (5, 2)
        np.testing.assert_array_equal(dots["moved"].get_array(), some)
    # The map is the same in every panel.
    first, second = (ax.collections[0].get_offsets() for ax in axes)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.zeros((9, 3)), np.zeros((2, 4, 5)), np.zeros((2, 4))), {}, "do not fit"),
        ((np.zeros((9, 3)), np.zeros((2, 4, 3)), np.zeros((2, 3))), {}, "do not fit"),
        ((np.full((9, 3), np.nan), np.zeros((2, 4, 3)), np.zeros((2, 4))), {}, "finite"),
        ((np.zeros((9, 3)), np.zeros((2, 4, 3)), np.zeros((2, 4))), {"titles": ["a"]}, "2 dimensions need"),
    ],
)
def test_bad_traversals_are_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        pl.traversal(*arguments, **options)
