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


def cells_of(types) -> anndata.AnnData:
    """Cells of some types, which lie on a line in their order."""
    obs = pd.DataFrame({"type": pd.Categorical(types)}, index=[str(i) for i in range(len(types))])
    made = anndata.AnnData(np.ones((len(types), 2), dtype=np.float32), obs=obs)
    made.obsm["X_a"] = np.column_stack([np.arange(len(types)), np.zeros(len(types))])
    return made


def colors_of(adata, palette=None) -> list[str]:
    """Colours in which cells are drawn, in the order of the cells."""
    dots = pl.front_embedding(adata, "type", use_rep="X_a", palette=palette)[0, 0].collections[0]
    return [to_hex(color) for color in dots.get_facecolors()[np.argsort(dots.get_offsets()[:, 0])]]


def colors_of_types(n: int) -> list[str]:
    return colors_of(cells_of([f"{i:03}" for i in range(n)]))


@pytest.mark.parametrize(("n", "least"), [(10, 26.0), (20, 26.0), (32, 22.0)])
def test_colours_are_far_from_each_other_and_from_paper(n, least):
    colors = colors_of_types(n)
    assert worst(colors) > least
    assert worst([*colors, "white", "#D9D9D9"]) > 13
    if n == 20:
        assert worst(colors) > WORST_BEFORE


def test_no_colour_is_nearly_black():
    # small dots of black and of dark brown look alike
    assert lab(colors_of_types(32))[:, 0].min() > 35


def test_a_hundred_types_have_a_colour_each():
    assert len(set(colors_of_types(102))) == 102


def test_a_palette_is_a_colormap_a_list_or_a_dict():
    some = cells_of(["B", "NK", "T"])
    assert colors_of(some, "tab10") == [to_hex(color) for color in mpl.colormaps["tab10"].colors[:3]]
    assert colors_of(some, "viridis") == [to_hex(mpl.colormaps["viridis"](t)) for t in (0, 0.5, 1.0)]
    assert colors_of(some, ["red", "green", "blue", "pink"]) == [to_hex(color) for color in ("red", "green", "blue")]
    own = {"T": "red", "B": "0.5", "NK": "C1"}
    assert colors_of(some, own) == [to_hex(color) for color in ("0.5", "C1", "red")]


@pytest.mark.parametrize(
    ("palette", "words"),
    [
        ("rainbows", r"palette\['type'\]='rainbows' is no colormap of matplotlib; valid are for example 'tab10'"),
        ("Dark2", r"palette\['type'\]='Dark2' has 8 colours for 9 categories"),
        (["red"] * 8, r"palette\['type'\] has no colour for '8'"),
        ({str(i): "red" for i in range(1, 9)}, r"palette\['type'\] has no colour for '0'"),
        (["nocolor"] * 9, "'nocolor' is no colour of matplotlib"),
    ],
)
def test_palettes_that_do_not_fit_are_refused(palette, words):
    with pytest.raises(ValueError, match=words):
        colors_of(cells_of([str(i) for i in range(9)]), palette)


def test_a_palette_of_another_type_is_refused():
    with pytest.raises(TypeError, match="a matplotlib colormap, a list of colours or a dict .* got int"):
        colors_of(cells_of(["a"]), 3)


@pytest.fixture
def adata() -> anndata.AnnData:
    return cells_of(["B", "T", "B", "NK"] * 10)


def test_colours_of_the_cells_come_first_and_stay_as_they_are(adata):
    stored = ["#112233", "#445566", "#778899"]
    adata.uns["type_colors"] = np.array(stored)
    assert colors_of(adata)[:4] == ["#112233", "#778899", "#112233", "#445566"]
    assert color_by_column("type", adata, np.arange(40)).colors == tuple(stored)
    # asked for is before stored
    own = {"B": "#000001", "T": "#000002", "NK": "#000003"}
    for palette in (own, {"type": own}):
        assert colors_of(adata, palette)[:4] == ["#000001", "#000002", "#000001", "#000003"]
    assert adata.uns["type_colors"].tolist() == stored


def test_some_of_the_types_keep_their_colours(adata):
    adata.uns["type_colors"] = ["#112233", "#445566", "#778899"]
    some = adata[adata.obs["type"] != "B"].copy()
    some.uns["type_colors"] = adata.uns["type_colors"]
    some.obs["type"] = some.obs["type"].cat.set_categories(["B", "NK", "T"])
    assert colors_of(some)[:2] == ["#778899", "#445566"]


@pytest.mark.parametrize("stored", [["#112233"], ["#112233", "no colour", "#778899"]])
def test_stored_colours_that_do_not_fit_are_left(adata, stored):
    expected = colors_of_types(3)
    adata.uns["type_colors"] = stored
    assert colors_of(adata)[:4] == [expected[0], expected[2], expected[0], expected[1]]
    explored = color_by_column("type", adata, np.arange(40)).colors
    assert [to_hex(color) for color in explored] == expected
