from __future__ import annotations

import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from scpareto import pl

mpl.use("Agg")

# In (leakage, loss), point 2 is dominated by 3. In (leakage, retention) with retention maximised, 2 and 4 are: 2 by 3
# (less leakage, more retained), 4 by 5. With retention minimised by mistake 0 would be dominated by 5.
LEAKAGE = [1.5, 0.9, 0.7, 0.4, 0.2, 0.1]
LOSS = [330.0, 330.5, 332.0, 331.0, 333.0, 337.0]
RETENTION = [0.40, 0.39, 0.33, 0.38, 0.28, 0.30]


@pytest.fixture
def table() -> pd.DataFrame:
    share = np.linspace(0, 1, 6)
    return pd.DataFrame(
        {
            "point": range(6),
            "kind": ["extreme", *["candidate"] * 4, "extreme"],
            "preference_generative_loss": 1 - share,
            "preference_mine": share,
            "generative_loss_test": LOSS,
            "mine_test": np.array(LEAKAGE) * 0.8,
            "leakage_mean": LEAKAGE,
            "leakage_mean_low": np.array(LEAKAGE) - 0.05,
            "leakage_mean_high": np.array(LEAKAGE) + 0.08,
            "retention": RETENTION,
            "non_dominated": True,
            "seed": 7,
        }
    )


def offsets(ax: Axes, gid: str) -> np.ndarray:
    """Offsets of all scatters with an id, ordered by x."""
    found = [c.get_offsets() for c in ax.collections if c.get_gid() == gid]
    array = np.vstack([np.empty((0, 2)), *found])
    return array[np.argsort(array[:, 0])]


def rows(*columns: list[float], points: list[int]) -> np.ndarray:
    array = np.column_stack(columns)[points]
    return array[np.argsort(array[:, 0])]


def test_default_plane_draws_table_values(table):
    ax = pl.front(table)
    assert isinstance(ax, Axes)
    np.testing.assert_allclose(offsets(ax, "non-dominated"), rows(LEAKAGE, LOSS, points=[0, 1, 3, 4, 5]))
    np.testing.assert_allclose(offsets(ax, "dominated"), rows(LEAKAGE, LOSS, points=[2]))
    assert ax.get_ylabel() == "generative loss, test cells (nats per cell)\nbetter ←"
    assert ax.get_xlabel() == "leakage, posterior mean (nats)   better ←"
    assert ax.get_title(loc="left") == "", "a table recommends nothing"


def test_default_plane_without_audit_is_the_objective(table):
    ax = pl.front(table[["point", "preference_mine", "mine_test", "generative_loss_test"]])
    np.testing.assert_allclose(offsets(ax, "non-dominated")[:, 0], sorted(np.array(LEAKAGE)[[0, 1, 3, 4, 5]] * 0.8))
    assert ax.get_xlabel() == "MINE, test cells (nats)   better ←"


@pytest.mark.parametrize("swapped", [False, True])
def test_higher_is_better_column_flips_dominance(table, swapped):
    columns = (RETENTION, LEAKAGE) if swapped else (LEAKAGE, RETENTION)
    x, y = ("retention", "leakage_mean") if swapped else ("leakage_mean", "retention")
    ax = pl.front(table, x=x, y=y)
    np.testing.assert_allclose(offsets(ax, "non-dominated"), rows(*columns, points=[0, 1, 3, 5]))
    np.testing.assert_allclose(offsets(ax, "dominated"), rows(*columns, points=[2, 4]))
    recommendation = ax.get_xlabel() if swapped else ax.get_ylabel()
    assert recommendation.endswith("better →")


def test_declared_and_scib_columns_are_maximised(table):
    table = table.assign(**{"Bio conservation": RETENTION, "mine score": RETENTION})
    for name, declared in (("Bio conservation", ()), ("mine score", ("mine score",))):
        ax = pl.front(table, y=name, higher_is_better=declared)
        assert len(offsets(ax, "non-dominated")) == 4
    # minimised, 4 (0.2, 0.28) and 5 (0.1, 0.30) dominate all others
    assert len(offsets(pl.front(table, y="mine score"), "non-dominated")) == 2


def test_an_objective_is_minimised_whatever_its_name(table):
    table = table.assign(total_test=RETENTION, preference_total=0.0)
    ax = pl.front(table, x="leakage_mean", y="total_test")
    np.testing.assert_allclose(offsets(ax, "non-dominated"), rows(LEAKAGE, RETENTION, points=[4, 5]))


@pytest.mark.parametrize(("x", "y"), [("leakage_mean", "generative_loss_test"), ("retention", "leakage_mean")])
def test_border_goes_through_the_set_and_dominates_nothing_better(table, x, y):
    ax = pl.front(table, x=x, y=y)
    border = next(line for line in ax.lines if line.get_gid() == "border").get_xydata()
    nondominated = offsets(ax, "non-dominated")
    assert all((border == point).all(axis=1).any() for point in nondominated)
    # every corner of the staircase is attained: some point is at least as good in both coordinates
    sign = np.array([-1.0 if x == "retention" else 1.0, 1.0])
    assert all((nondominated * sign <= corner * sign).all(axis=1).any() for corner in border)
    assert (np.diff(border, axis=0) == 0).any(axis=1).all()


def test_points_keep_their_colour_in_every_plane_and_panel(table):
    def color_by_leakage(ax: Axes) -> dict[float, tuple[float, ...]]:
        return {
            float(xy[0]): tuple(color)
            for c in ax.collections
            if c.get_gid() == "non-dominated"
            for xy, color in zip(c.get_offsets(), c.get_facecolors(), strict=True)
        }

    one = color_by_leakage(pl.front(table))
    other = color_by_leakage(pl.front(table, y="retention"))
    assert len(set(one.values())) == 5
    assert {x: one[x] for x in other} == other


def test_intervals_are_drawn_from_low_to_high(table):
    table.loc[1, ["leakage_mean_low", "leakage_mean_high"]] = [0.95, 1.0]  # leaves out its point
    ax = pl.front(table)
    (bars,) = [c for c in ax.collections if c.get_gid() == "interval"]
    drawn = np.array(bars.get_segments())
    np.testing.assert_allclose(drawn[:, :, 0], table[["leakage_mean_low", "leakage_mean_high"]])
    np.testing.assert_allclose(drawn[:, :, 1], np.column_stack([LOSS, LOSS]))
    assert not [c for c in pl.front(table, intervals=False).collections if c.get_gid() == "interval"]


def test_labels_name_the_points_and_do_not_cover_each_other(table):
    # a crowd in the knee
    table = table.assign(leakage_mean=[1.5, 0.22, 0.21, 0.2, 0.2, 0.1])
    ax = pl.front(table)
    assert sorted(t.get_text() for t in ax.texts) == ["0 uncorrected", "1", "2", "3", "4", "5 strongest"]
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts]
    frame = ax.get_window_extent()
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(frame.x0 - 2 <= b.x0 and b.x1 <= frame.x1 + 2 for b in boxes)
    assert not pl.front(table, label_points=False).texts


def test_extremes_of_three_objectives_are_named_by_what_they_prefer(table):
    table = table.assign(kind="candidate", preference_mmd=0.0)
    table.loc[[0, 4, 5], "kind"] = "extreme"
    table.loc[4, ["preference_generative_loss", "preference_mine", "preference_mmd"]] = [0.0, 0.0, 1.0]
    words = {t.get_text() for t in pl.front(table).texts}
    assert {"0 uncorrected", "4 strongest MMD", "5 strongest MINE"} <= words


def test_selected_is_framed(table):
    np.testing.assert_allclose(offsets(pl.front(table, selected=3), "selected"), [[0.4, 331.0]])
    with pytest.raises(ValueError, match=re.escape("points: [0, 1, 2, 3, 4, 5]")):
        pl.front(table, selected=9)


def test_points_without_a_value_are_left_out(table):
    table.loc[3, "leakage_mean"] = np.nan
    ax = pl.front(table)
    # without 3, nothing dominates 2
    np.testing.assert_allclose(offsets(ax, "non-dominated"), rows(LEAKAGE, LOSS, points=[0, 1, 2, 4, 5]))
    with pytest.raises(ValueError, match="No point has both"):
        pl.front(table.assign(a=[1, *[np.nan] * 5], b=[np.nan, *[1] * 5]), x="a", y="b")


@pytest.mark.parametrize("bad", ["no_such", "point", "seed", "kind", "leakage_mean_low", "preference_mine"])
def test_unknown_column_lists_the_valid_ones(table, bad):
    with pytest.raises(ValueError, match=f"'{bad}' cannot be drawn; valid columns: .*retention"):
        pl.front(table, x=bad)


def test_bad_fronts(table):
    with pytest.raises(TypeError, match="front must be .* got int"):
        pl.front(1)
    with pytest.raises(TypeError, match="front must be .* got list"):
        pl.front_panels([table, table])
    with pytest.raises(ValueError, match="column 'point'"):
        pl.front(table.drop(columns="point"))
    with pytest.raises(ValueError, match="no points"):
        pl.front(table.iloc[:0])


def test_a_front_object_and_its_table_are_drawn_alike(table):
    class Front:
        def to_dataframe(self) -> pd.DataFrame:
            return table.set_index("point").sample(frac=1, random_state=0)

    before = table.copy()
    np.testing.assert_array_equal(
        offsets(pl.front(Front()), "non-dominated"), offsets(pl.front(table), "non-dominated")
    )
    pd.testing.assert_frame_equal(table, before)


def test_given_axes_are_used_and_several_fronts_share_them(table):
    _, ax = plt.subplots()
    assert pl.front(table, ax=ax) is ax
    assert pl.front(table.assign(leakage_mean=table["leakage_mean"] + 0.01), ax=ax) is ax
    assert len(offsets(ax, "non-dominated")) == 10
    assert len(plt.get_fignums()) == 1


def test_panels_show_all_and_the_culled_set_on_the_same_axes(table):
    left, right = pl.front_panels(table, selected=2)
    np.testing.assert_allclose(offsets(left, "non-dominated"), rows(LEAKAGE, LOSS, points=list(range(6))))
    np.testing.assert_allclose(offsets(right, "non-dominated"), rows(LEAKAGE, LOSS, points=[0, 1, 3, 4, 5]))
    assert left.get_xlim() == right.get_xlim()
    assert left.get_ylim() == right.get_ylim()
    assert len(offsets(left, "selected")) == 1
    assert len(offsets(right, "selected")) == 0
    assert (left.get_title(loc="left"), right.get_title(loc="left")) == ("all 6 points", "5 non-dominated")
    with pytest.raises(ValueError, match="2 axes, got 1"):
        pl.front_panels(table, axes=[left])


def test_settings_are_untouched_and_the_picture_is_not_blank(table, tmp_path):
    before = dict(mpl.rcParams)
    figure = pl.front(table, selected=1).figure
    pl.front_panels(table)
    figure.savefig(tmp_path / "front.png", dpi=100)
    assert dict(mpl.rcParams) == before
    image = plt.imread(tmp_path / "front.png")
    assert 0.02 < (image[..., :3].min(axis=2) < 0.9).mean() < 0.5
    assert figure.get_size_inches()[0] == pytest.approx(3.5)
