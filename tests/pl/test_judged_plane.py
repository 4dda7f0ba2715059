"""The plane in which a front was judged, and the sentence above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest

from scpareto import pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes

mpl.use("Agg")


SAME = (98.0, 97.9, 97.5, 97.2, 97.0, 82.0)


def marked(ax: Axes, gid: str) -> np.ndarray:
    found = [c.get_offsets() for c in ax.collections if c.get_gid() == gid]
    return np.vstack([np.empty((0, 2)), *found])


def title(ax: Axes) -> str:
    return " ".join(ax.get_title(loc="left").split())


def test_judged_columns_are_the_default_axes(judged_front):
    front = judged_front()
    ax = pl.front(front)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("batch left (%)   better ←", "structure kept (%)   better →")
    drawn = np.vstack([marked(ax, "non-dominated"), marked(ax, "dominated")])
    expected = front.table[["batch_left", "structure_kept"]].to_numpy()
    np.testing.assert_allclose(drawn[np.argsort(-drawn[:, 0])], expected)
    bars = [np.array(c.get_segments()) for c in ax.collections if c.get_gid() == "interval"]
    np.testing.assert_allclose(bars[0][:, :, 0], front.table[["batch_left_low", "batch_left_high"]])
    np.testing.assert_allclose(bars[1][:, :, 1], front.table[["structure_kept_low", "structure_kept_high"]])


def test_another_nuisance_has_its_own_axis(judged_front):
    table = judged_front().table.rename(columns=lambda name: name.replace("batch_left", "donor_left"))
    assert pl.front(table).get_xlabel() == "donor left (%)   better ←"


def test_other_planes_are_drawn_by_name(judged_front):
    ax = pl.front(judged_front(), x="leakage_mean", y="generative_loss_test")
    assert ax.get_xlabel().startswith("leakage, posterior mean")
    assert ax.get_ylabel().startswith("generative loss")
    assert [line.get_gid() for line in ax.lines] == ["border"]


def test_hollow_points_are_those_that_the_table_calls_dominated(judged_front):
    # Point 3 keeps .1 % less than point 4 and leaves .5 % more, which paired intervals do not tell apart: by the values
    # alone it were dominated. Point 2 leaves 5.5 % more than point 4. Point 0 leaves 5 % more than point 1 and keeps
    # .1 % more, which is none; point 5 leaves .5 % less than point 4, which is none, and keeps 13 % less.
    front = judged_front(left=(16.0, 11.0, 7.0, 2.0, 1.5, 1.0), kept=(98.0, 97.9, 94.0, 94.9, 95.0, 82.0))
    ax = pl.front(front)
    kept = front.table["non_dominated"].to_numpy()
    assert kept.tolist() == [False, True, False, True, True, False]
    xy = front.table[["batch_left", "structure_kept"]].to_numpy()
    np.testing.assert_allclose(sorted(marked(ax, "dominated").tolist()), sorted(xy[~kept].tolist()))
    (course,) = [line for line in ax.lines if line.get_gid() == "course"]
    np.testing.assert_allclose(course.get_xydata(), xy)
    _, right = pl.front_panels(front)
    assert right.get_title(loc="left") == "3 non-dominated"


def test_recommended_and_selected_are_told_apart(judged_front):
    ax = pl.front(judged_front(), selected=2)
    np.testing.assert_allclose(marked(ax, "recommended"), [[1.5, 95.0]])
    np.testing.assert_allclose(marked(ax, "selected"), [[7.0, 97.5]])
    np.testing.assert_allclose(marked(ax, "alarm"), [[1.0, 82.0]])
    words = [t.get_text() for t in ax.get_legend().get_texts()]
    assert words == ["non-dominated", "dominated", "recommended", "selected", "alarm rings"]
    # one point may be both, and both are seen
    ax = pl.front(judged_front(), selected=4)
    np.testing.assert_allclose(marked(ax, "recommended"), marked(ax, "selected"))
    sizes = {c.get_gid(): c.get_sizes()[0] for c in ax.collections if c.get_gid() in ("recommended", "selected")}
    assert sizes["selected"] > 1.2 * sizes["recommended"]


def test_every_front_among_several_has_its_recommendation(judged_front):
    # .1 % more than the least without alarm, which is certainly below the margin
    ax = pl.front({"a": judged_front(), "b": judged_front(left=(16.0, 11.0, 7.0, 1.6, 1.5, 1.0))})
    np.testing.assert_allclose(marked(ax, "recommended"), [[1.5, 95.0], [1.6, 97.0]])
    assert title(ax) == ""


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "Recommended: point 4, 2 % of the batch left, 95 % of the structure kept."),
        # 98 against 97 %: within the paired interval, which ends at 3 %
        (
            {"kept": SAME, "left": (16.0, 11.0, 7.0, 4.0, 1.5, 3.0), "alarm": 0.0},
            "No trade-off seen on these cells: point 4, 2 % of the batch left, 97 % of the structure kept.",
        ),
        # but another point has lost something
        ({"kept": SAME}, "Recommended: point 4, 2 % of the batch left, 97 % of the structure kept."),
        ({"no_batch_effect": True, "none_at_all": True}, "No batch effect to remove."),
        ({"no_batch_effect": True, "none_at_all": False}, "No batch effect was shown with 800 cells."),
    ],
)
def test_the_title_is_the_recommendation(judged_front, changes, sentence):
    front = judged_front(**changes)
    assert title(pl.front(front)) == sentence
    assert title(pl.front(front, title=False)) == ""
    assert pl.front_panels(front)[0].figure.get_suptitle() == sentence


def test_a_wide_interval_shows_no_trade_off_but_excludes_none(judged_front):
    front = judged_front(kept=SAME, left=(16.0, 11.0, 7.0, 4.0, 1.5, 3.0), alarm=0.0)
    front.tables["differences_structure"] = front.tables["differences_structure"].assign(low=-9.0, high=9.0)
    assert title(pl.front(front)).startswith("No trade-off shown on these cells: point 4")


def test_a_front_that_was_not_judged_has_no_sentence(judged_front):
    front = judged_front()
    bare = type(front)(front.table[["point", "leakage_mean", "generative_loss_test"]], objectives=front.objectives)
    ax = pl.front(bare)
    assert title(ax) == ""
    assert len(marked(ax, "recommended")) == 1
    # A plain table has no rule that recommends.
    ax = pl.front(front.table)
    assert title(ax) == ""
    assert len(marked(ax, "recommended")) == 0


def test_the_title_fits_above_the_axes(judged_front):
    ax = pl.front(judged_front())
    ax.figure.canvas.draw()
    assert ax._left_title.get_window_extent().x1 <= ax.figure.bbox.x1
    assert "\n%" not in ax.get_title(loc="left"), "a number stays with its unit"


def test_a_tenth_of_a_percent_does_not_look_like_a_loss(judged_front):
    table = judged_front(kept=(98.0, 97.9, 98.0, 98.1, 98.0, 97.9)).table
    ax = pl.front(table, intervals=False)
    assert np.ptp(ax.get_ylim()) >= 10
