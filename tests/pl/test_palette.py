"""Colours of types: far apart, those of the cells where scanpy keeps some, and those that are asked for."""

from __future__ import annotations

import anndata
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb

from scpareto import pl
from scpareto.pl._explorer._colorings import color_by_column
from scpareto.pl._palette import PALETTE, category_colors, read_colors

mpl.use("Agg")

WORST_BEFORE = 23.0
"""CIE 1976 distance of the worst pair among the first 20 colours of the palette that had black and dark brown."""


def lab(colors) -> np.ndarray:
    """CIE L*a*b* of colours under D65, shape (n, 3)."""
    rgb = np.array([to_rgb(color) for color in colors])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    xyz = linear @ np.array(to_xyz).T / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.column_stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])])


def worst(colors) -> float:
    places = lab(colors)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    return float(distances[np.triu_indices(len(places), 1)].min())


def test_lab_of_known_colours():
    np.testing.assert_allclose(
        lab(["white", "black", "#FF0000"]), [[100, 0, 0], [0, 0, 0], [53.24, 80.09, 67.2]], atol=0.02
    )


@pytest.mark.parametrize(("n", "least"), [(10, 26.0), (20, 26.0), (32, 22.0)])
def test_colours_are_far_from_each_other_and_from_paper(n, least):
    colors = [*category_colors([str(i) for i in range(n)]).values()]
    assert worst(colors) > least
    assert worst([*colors, "white", "#D9D9D9"]) > 13
    if n == 20:
        assert worst(colors) > WORST_BEFORE


def test_no_colour_is_nearly_black():
    # small dots of black and of dark brown look alike
    assert lab(PALETTE)[:, 0].min() > 35


def test_a_hundred_types_have_a_colour_each():
    assert len(set(category_colors([str(i) for i in range(102)]).values())) == 102


def test_a_palette_is_a_colormap_a_list_or_a_dict():
    names = ["B", "NK", "T"]
    assert category_colors(names, "tab10") == dict(
        zip(names, map(to_hex, mpl.colormaps["tab10"].colors[:3]), strict=True)
    )
    assert list(category_colors(names, "viridis").values()) == [
        to_hex(mpl.colormaps["viridis"](t)) for t in (0, 0.5, 1.0)
    ]
    assert category_colors(names, ["red", "green", "blue", "pink"]) == {"B": "red", "NK": "green", "T": "blue"}
    assert category_colors(names, {"T": "red", "B": "0.5", "NK": "C1"}) == {"B": "0.5", "NK": "C1", "T": "red"}


@pytest.mark.parametrize(
    ("palette", "words"),
    [
        ("rainbows", "palette='rainbows' is no colormap of matplotlib; valid are for example 'tab10'"),
        ("Dark2", "palette='Dark2' has 8 colours for 9 categories"),
        (["red"] * 8, "palette has no colour for '8'"),
        ({str(i): "red" for i in range(1, 9)}, "palette has no colour for '0'"),
        (["nocolor"] * 9, "'nocolor' is no colour of matplotlib"),
    ],
)
def test_palettes_that_do_not_fit_are_refused(palette, words):
    with pytest.raises(ValueError, match=words):
        category_colors([str(i) for i in range(9)], palette)


def test_a_palette_of_another_type_is_refused():
    with pytest.raises(TypeError, match="a matplotlib colormap, a list of colours or a dict .* got int"):
        category_colors(["a"], 3)


@pytest.fixture
def adata() -> anndata.AnnData:
    obs = pd.DataFrame({"type": pd.Categorical(["B", "T", "B", "NK"] * 10)}, index=[str(i) for i in range(40)])
    made = anndata.AnnData(np.ones((40, 2), dtype=np.float32), obs=obs)
    made.obsm["X_a"] = np.random.default_rng(0).normal(size=(40, 2))
    return made


def drawn(ax) -> set[str]:
    return {to_hex(color) for color in ax.collections[0].get_facecolors()}


def test_colours_of_the_cells_come_first_and_stay_as_they_are(adata):
    stored = ["#112233", "#445566", "#778899"]
    adata.uns["type_colors"] = np.array(stored)
    assert drawn(pl.front_embedding(adata, "type", use_rep="X_a")[0, 0]) == set(stored)
    assert color_by_column("type", adata, np.arange(40)).colors == tuple(stored)
    # asked for is before stored
    own = {"B": "#000001", "T": "#000002", "NK": "#000003"}
    assert drawn(pl.front_embedding(adata, "type", use_rep="X_a", palette=own)[0, 0]) == set(own.values())
    assert drawn(pl.front_embedding(adata, "type", use_rep="X_a", palette={"type": own})[0, 0]) == set(own.values())
    assert adata.uns["type_colors"].tolist() == stored


def test_some_of_the_types_keep_their_colours(adata):
    adata.uns["type_colors"] = ["#112233", "#445566", "#778899"]
    some = adata[adata.obs["type"] != "B"].copy()
    some.uns["type_colors"] = adata.uns["type_colors"]
    some.obs["type"] = some.obs["type"].cat.set_categories(["B", "NK", "T"])
    assert drawn(pl.front_embedding(some, "type", use_rep="X_a")[0, 0]) == {"#445566", "#778899"}


@pytest.mark.parametrize("stored", [["#112233"], ["#112233", "no colour", "#778899"]])
def test_stored_colours_that_do_not_fit_are_left(adata, stored):
    adata.uns["type_colors"] = stored
    assert read_colors(adata, "type", ["B", "NK", "T"]) is None
    assert drawn(pl.front_embedding(adata, "type", use_rep="X_a")[0, 0]) == {c.lower() for c in PALETTE[:3]}
    assert color_by_column("type", adata, np.arange(40)).colors == PALETTE[:3]
