"""The judged curve and the populations of a front."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from scpareto import pl
from scpareto.pareto import shares_of

mpl.use("Agg")


def dots(ax: plt.Axes, gid: str) -> np.ndarray:
    array = np.vstack([np.empty((0, 2)), *(c.get_offsets() for c in ax.collections if c.get_gid() == gid)])
    return array[np.argsort(array[:, 0])]


def line(ax: plt.Axes, gid: str) -> np.ndarray:
    (found,) = [one for one in ax.lines if one.get_gid() == gid]
    return found.get_xydata()


def test_raw_values_fit_and_points_are_drawn(judged_front):
    front = judged_front()
    above, below = pl.curve(front, selected=1)
    curve = front.curve()
    np.testing.assert_allclose(dots(above, "judged"), curve[["place", "batch_left"]])
    np.testing.assert_allclose(dots(below, "judged"), curve[["place", "structure_kept"]])
    # the fit ends at the least value, and the rise beyond is not hidden
    np.testing.assert_allclose(line(above, "fit"), curve[["place", "batch_left_fit"]].iloc[:4])
    np.testing.assert_allclose(line(above, "rest"), [[0.6, 1.0], [1.0, 5.0]])
    places = [1 - shares_of(preference)[0] for preference in front.preferences]
    np.testing.assert_allclose(dots(above, "points"), np.column_stack([places, front.table["batch_left"]]))
    np.testing.assert_allclose(dots(below, "points")[:, 1], front.table["structure_kept"])
    np.testing.assert_allclose(dots(above, "recommended"), [[places[4], 1.5]])
    np.testing.assert_allclose(dots(above, "selected"), [[places[1], 11.0]])
    np.testing.assert_allclose(dots(above, "alarm"), [[places[5], 1.0]])
    assert sorted(text.get_text() for text in above.texts) == list("012345")


def test_the_band_is_the_interval(judged_front):
    above, _ = pl.curve(judged_front())
    (band,) = [c for c in above.collections if c.get_gid() == "interval"]
    vertices = band.get_paths()[0].vertices
    there = vertices[np.isclose(vertices[:, 0], 0.3), 1]
    assert (there.min(), there.max()) == (3.0, 5.0)


def test_what_is_not_offered_is_grey(judged_front):
    front = judged_front()
    last = 1 - shares_of(front.preferences[-1])[0]
    (grey,) = [patch for patch in pl.curve(front)[0].patches if patch.get_gid() == "beyond"]
    assert (grey.get_x(), grey.get_x() + grey.get_width()) == pytest.approx((last, 1.0))


def test_axes_and_legend_of_the_curve(judged_front):
    above, below = pl.curve(judged_front())
    assert above.get_ylabel() == "batch left (%)   better ←"
    assert below.get_ylabel() == "structure kept (%)\nbetter →"
    assert " ".join(above.get_title(loc="left").split()).startswith("Recommended: point 4")
    (legend,) = above.figure.legends
    words = {text.get_text() for text in legend.get_texts()}
    assert words == {
        *("judged", "95 % interval", "falling fit", "point of the front", "recommended", "alarm rings", "not offered")
    }
    _, given = plt.subplots(2)
    assert list(pl.curve(judged_front(), axes=given)) == list(given)


def test_a_front_without_a_curve_is_refused(judged_front):
    front = judged_front()
    with pytest.raises(TypeError, match="front must be a Front with a judged path, got DataFrame"):
        pl.curve(front.table)
    with pytest.raises(ValueError, match=r"selected=9 is not a point of this front; points: \[0, 1"):
        pl.curve(front, selected=9)
    with pytest.raises(ValueError, match="2 axes, got 1"):
        pl.curve(front, axes=[plt.subplots()[1]])
    front.tables.pop("curve")
    with pytest.raises(ValueError, match="no judged path"):
        pl.curve(front)


def test_populations_are_small_multiples(judged_front):
    front = judged_front()
    panels = pl.front_populations(front, selected=1)
    assert [ax.get_title(loc="left") for ax in panels] == [f"population {k}, {200 - 90 * k} cells" for k in range(3)]
    for k, ax in enumerate(panels):
        # the middle one of three resolutions, to which the conftest adds one percent
        np.testing.assert_allclose(line(ax, "batch_left")[:, 1], front.table["batch_left"] + 10 * k + 1)
        np.testing.assert_allclose(line(ax, "structure_kept")[:, 1], front.table["structure_kept"] + 10 * k)
        assert line(ax, "recommended")[0, 0] == 4
        assert line(ax, "selected")[0, 0] == 1
        (stretch,) = [patch for patch in ax.patches if patch.get_gid() == "alarm"]
        assert stretch.get_x() == 4.5
    assert panels[0].get_ylim() == panels[2].get_ylim()


def test_the_largest_populations_come_first_and_may_be_all(judged_front):
    front = judged_front()
    table = front.tables["populations"]
    sizes = table["population"].map({0: 50, 1: 500, 2: 5})
    front.tables["populations"] = table.assign(n_cells=sizes, no_batch_effect=table["population"] == 1)
    front.tables.pop("populations_structure")
    panels = pl.front_populations(front, n_populations=2)
    assert [ax.get_title(loc="left") for ax in panels] == [
        "population 1, 500 cells\nno batch effect",
        "population 0, 50 cells",
    ]


def test_cells_of_no_population_come_last_and_wide_bands_do_not_squeeze_the_rest(judged_front):
    front = judged_front()
    table = front.tables["populations_structure"]
    front.tables["populations_structure"] = table.assign(population=table["population"].replace({0: -1}), low=-400.0)
    panels = pl.front_populations(front)
    assert [ax.get_title(loc="left") for ax in panels][-2:] == [
        "population 2, 20 cells",
        "no shared population, 200 cells",
    ]
    assert panels[0].get_ylim() == (-20, 120)


def test_populations_that_nobody_judged_are_refused(judged_front):
    front = judged_front()
    with pytest.raises(ValueError, match="n_columns=0 must be at least 1"):
        pl.front_populations(front, n_columns=0)
    with pytest.raises(ValueError, match="selected=9 is not a point"):
        pl.front_populations(front, selected=9)
    with pytest.raises(TypeError, match="front must be a Front that was judged, got DataFrame"):
        pl.front_populations(front.table)
    front.tables = {}
    with pytest.raises(ValueError, match="no judged populations"):
        pl.front_populations(front)
