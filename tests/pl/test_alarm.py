from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from scpareto import pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.patches import Patch

mpl.use("Agg")

LEAKAGE = [1.0, 0.6, 0.3, 0.2, 0.1]
LOSS = [330.0, 331.0, 332.0, 334.0, 338.0]


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "point": range(5),
            "preference_generative_loss": np.linspace(1, 0, 5),
            "preference_mine": np.linspace(0, 1, 5),
            "generative_loss_test": LOSS,
            "leakage_mean": LEAKAGE,
            "alarm": [np.nan, 0.1, 0.49, 0.5, 0.9],
        }
    )


def crossed(ax: Axes) -> np.ndarray:
    """Points that are crossed out, ordered by x, shape `(n, 2)`."""
    found = [c.get_offsets() for c in ax.collections if c.get_gid() == "alarm"]
    array = np.vstack([np.empty((0, 2)), *found])
    return array[np.argsort(array[:, 0])]


def stretches(ax: Axes) -> list[Patch]:
    return [patch for patch in ax.patches if patch.get_gid() == "alarm"]


def test_points_that_ring_are_crossed_out_and_no_others(table):
    ax = pl.front(table)
    np.testing.assert_allclose(crossed(ax), [[0.1, 338.0], [0.2, 334.0]])
    assert not stretches(ax), "nothing but the points themselves is marked: no other point lies in a zone"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["non-dominated", "alarm rings"]


def test_an_innocent_point_in_the_same_place_is_not_crossed_out(table):
    table = table.assign(leakage_mean=0.2, generative_loss_test=334.0, alarm=[0.0, 0.0, 0.0, 1.0, 0.0])
    assert len(crossed(pl.front(table))) == 1


def test_names_stand_beside_the_cross(table):
    for ax in (pl.front(table), *pl.front_panels(table)):
        ax.figure.canvas.draw()
        boxes = {t.get_text(): t.get_window_extent() for t in ax.texts}
        assert {"3", "4"} <= set(boxes)
        places = ax.transData.transform(crossed(ax))
        assert not any(box.padded(-1).contains(*place) for box in boxes.values() for place in places)


def test_no_alarm_no_cross(table):
    limits = pl.front(table).get_xlim()
    for quiet in (table.drop(columns="alarm"), table.assign(alarm=0.2), table.assign(alarm=np.nan)):
        ax = pl.front(quiet)
        assert not len(crossed(ax))
        assert "alarm rings" not in [t.get_text() for t in ax.get_legend().get_texts()]
        assert ax.get_xlim() == limits


def test_panels_cross_out_the_points_that_they_show(table):
    # 3 is dominated by 2
    left, right = pl.front_panels(table.assign(leakage_mean=[1.0, 0.6, 0.3, 0.5, 0.1]))
    np.testing.assert_allclose(crossed(left), [[0.1, 338.0], [0.5, 334.0]])
    np.testing.assert_allclose(crossed(right), [[0.1, 338.0]])
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["alarm rings"]


def test_points_of_several_fronts_are_crossed_out(table):
    ax = pl.front({"a": table, "b": table.assign(leakage_mean=np.add(LEAKAGE, 0.4)), "c": table.assign(alarm=0.0)})
    np.testing.assert_allclose(crossed(ax)[:, 0], [0.1, 0.2, 0.5, 0.6])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b", "c", "alarm rings"]


@pytest.mark.parametrize("bad", [-0.1, 1.5])
def test_an_alarm_lies_between_zero_and_one(table, bad):
    table.loc[2, "alarm"] = bad
    for draw in (pl.front, pl.front_panels, pl.metrics_along_front):
        with pytest.raises(ValueError, match=rf"alarm must lie in \[0, 1\], got {bad:g} at point 2"):
            draw(table)


def spans(ax: Axes) -> list[tuple[float, float]]:
    return [(zone.get_x(), zone.get_x() + zone.get_width()) for zone in stretches(ax)]


def test_stretches_of_alarmed_points_end_half_way(table):
    axes = pl.metrics_along_front(table.assign(alarm=[0.0, 0.7, np.nan, 0.6, 1.0]), ["leakage_mean", "alarm"])
    for ax in axes:
        np.testing.assert_allclose(spans(ax), [[0.5, 1.5], [2.5, ax.get_xlim()[1]]])
    (legend,) = axes[0].figure.legends
    assert "alarm rings" in [t.get_text() for t in legend.get_texts()]
    limits = [line.get_ydata()[0] for line in axes[1].lines if len(set(line.get_ydata())) == 1]
    assert 0.5 in limits


def test_stretches_follow_the_horizontal_axis(table):
    (ax,) = pl.metrics_along_front(table, ["generative_loss_test"], x="leakage_mean")
    np.testing.assert_allclose(spans(ax), [[ax.get_xlim()[0], 0.25]])


def test_a_single_alarmed_point_is_shaded():
    (ax,) = pl.metrics_along_front(pd.DataFrame({"point": [3], "retention": [0.2], "alarm": [1.0]}), ["retention"])
    ((left, right),) = spans(ax)
    assert left < 3 < right


def test_an_alarm_that_rings_or_not_is_drawn_in_words(table):
    (ax,) = pl.metrics_along_front(table.assign(alarm=[0.0, 0.0, np.nan, 1.0, 1.0]), ["alarm"])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["quiet", "rings"]
    assert ax.get_title(loc="left") == "over-correction alarm"
    dots = np.vstack([c.get_offsets() for c in ax.collections if c.get_gid() == "points"])
    np.testing.assert_allclose(np.ma.getdata(dots)[[0, 1, 3, 4], 1], [0, 0, 1, 1])
    assert not ax.lines, "there is nothing between quiet and ringing"
