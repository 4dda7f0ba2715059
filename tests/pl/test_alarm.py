from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
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
RADIUS = 8.0  # of the zone around a point, typographic points


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


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


def zones(ax: Axes) -> list[Patch]:
    return [patch for patch in ax.patches if patch.get_gid() == "alarm"]


def is_shaded(ax: Axes, xy: tuple[float, float], *, away: float = 0.0) -> bool:
    """Whether a place, or the place so many typographic points to its right, lies in a zone."""
    ax.figure.canvas.draw()
    place = ax.transData.transform(xy) + [away * ax.figure.dpi / 72, 0.0]
    return any(zone.get_path().contains_point(place) for zone in zones(ax))


def test_zone_holds_the_points_from_one_half_on(table):
    ax = pl.front(table)
    shaded = [is_shaded(ax, xy) for xy in zip(LEAKAGE, LOSS, strict=True)]
    assert shaded == [False, False, False, True, True]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["non-dominated", "over-correction alarm"]


def test_zone_has_one_width_on_the_page_at_any_resolution(table):
    ax = pl.front(table)
    for dpi in (72, 300):
        ax.figure.set_dpi(dpi)
        assert is_shaded(ax, (0.2, 334.0), away=RADIUS - 0.5)
        assert not is_shaded(ax, (0.2, 334.0), away=RADIUS + 0.5)


def test_zone_joins_neighbours_of_one_nuisance_only(table):
    between = (0.15, 336.0)
    assert is_shaded(pl.front(table), between)
    assert not is_shaded(pl.front(table.assign(preference_mmd=0.0)), between)
    # a point without alarm parts its neighbours
    parted = table.assign(alarm=[0.0, 0.0, 1.0, 0.0, 1.0])
    assert not is_shaded(pl.front(parted), (0.2, 334.0))


def test_names_stand_outside_the_zone(table):
    for ax in (pl.front(table), *pl.front_panels(table)):
        ax.figure.canvas.draw()
        (zone,) = zones(ax)
        boxes = {t.get_text(): t.get_window_extent() for t in ax.texts}
        assert {"3", "4"} <= set(boxes)
        assert not any(zone.get_path().intersects_bbox(box.padded(-2), filled=True) for box in boxes.values())


def test_no_alarm_no_zone(table):
    limits = pl.front(table).get_xlim()
    for quiet in (table.drop(columns="alarm"), table.assign(alarm=0.2), table.assign(alarm=np.nan)):
        ax = pl.front(quiet)
        assert not zones(ax)
        assert "over-correction alarm" not in [t.get_text() for t in ax.get_legend().get_texts()]
        assert ax.get_xlim() == limits


def test_panels_shade_the_points_that_they_show(table):
    # 3 is dominated by 2
    left, right = pl.front_panels(table.assign(leakage_mean=[1.0, 0.6, 0.3, 0.5, 0.1]))
    assert is_shaded(left, (0.5, 334.0))
    assert not is_shaded(right, (0.5, 334.0))
    assert is_shaded(right, (0.1, 338.0))
    assert [t.get_text() for t in left.get_legend().get_texts()] == ["over-correction alarm"]


def test_each_front_has_its_own_zone(table):
    ax = pl.front({"a": table, "b": table.assign(leakage_mean=np.add(LEAKAGE, 0.4)), "c": table.assign(alarm=0.0)})
    looks = [(zone.get_edgecolor(), zone.get_hatch()) for zone in zones(ax)]
    assert len(set(looks)) == len(looks) == 2
    assert len({hatch for _, hatch in looks}) == 2


@pytest.mark.parametrize("bad", [-0.1, 1.5])
def test_an_alarm_lies_between_zero_and_one(table, bad):
    table.loc[2, "alarm"] = bad
    for draw in (pl.front, pl.front_panels, pl.metrics_along_front):
        with pytest.raises(ValueError, match=rf"alarm must lie in \[0, 1\], got {bad:g} at point 2"):
            draw(table)


def spans(ax: Axes) -> list[tuple[float, float]]:
    return [(zone.get_x(), zone.get_x() + zone.get_width()) for zone in zones(ax)]


def test_stretches_of_alarmed_points_end_half_way(table):
    axes = pl.metrics_along_front(table.assign(alarm=[0.0, 0.7, np.nan, 0.6, 1.0]), ["leakage_mean", "alarm"])
    for ax in axes:
        np.testing.assert_allclose(spans(ax), [[0.5, 1.5], [2.5, ax.get_xlim()[1]]])
    (legend,) = axes[0].figure.legends
    assert "over-correction alarm" in [t.get_text() for t in legend.get_texts()]
    limits = [line.get_ydata()[0] for line in axes[1].lines if len(set(line.get_ydata())) == 1]
    assert 0.5 in limits


def test_stretches_follow_the_horizontal_axis(table):
    (ax,) = pl.metrics_along_front(table, ["generative_loss_test"], x="leakage_mean")
    np.testing.assert_allclose(spans(ax), [[ax.get_xlim()[0], 0.25]])


def test_a_single_alarmed_point_is_shaded():
    (ax,) = pl.metrics_along_front(pd.DataFrame({"point": [3], "retention": [0.2], "alarm": [1.0]}), ["retention"])
    ((left, right),) = spans(ax)
    assert left < 3 < right
