from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from scpareto import pl

mpl.use("Agg")


@pytest.fixture
def table() -> pd.DataFrame:
    leakage = np.array([1.0, 0.5, 0.2, 0.1])
    return pd.DataFrame(
        {
            "point": [0, 1, 2, 3],
            "kind": ["extreme", "candidate", "candidate", "extreme"],
            "preference_generative_loss": [1.0, 0.9, 0.4, 0.0],
            "preference_mine": [0.0, 0.1, 0.6, 1.0],
            "generative_loss_test": [330.0, 331.0, 333.0, 338.0],
            "mine_test": leakage * 0.8,
            "leakage_mean": leakage,
            "leakage_mean_low": leakage - 0.1,
            "leakage_mean_high": leakage + 0.2,
            "retention": [0.4, 0.4, 0.38, 0.3],
            "seed": 1,
        }
    )


def points(ax: plt.Axes) -> np.ndarray:
    array = np.vstack([c.get_offsets() for c in ax.collections if c.get_gid() == "points"])
    return array[np.argsort(array[:, 0])]


def test_default_columns_are_drawn_with_table_values(table):
    axes = pl.metrics_along_front(table.sample(frac=1, random_state=1))
    columns = ["generative_loss_test", "mine_test", "leakage_mean", "retention"]
    assert axes.shape == (4,)
    for ax, column in zip(axes, columns, strict=True):
        np.testing.assert_allclose(points(ax), table[["point", column]])
    assert [ax.get_title(loc="left")[-1] for ax in axes] == ["↓", "↓", "↓", "↑"]


@pytest.mark.parametrize("x", ["preference", "preference_mine"])
def test_preference_as_x(table, x):
    (ax,) = pl.metrics_along_front(table, ["retention"], x=x)
    np.testing.assert_allclose(points(ax), table[["preference_mine", "retention"]])
    assert ax.get_xlabel() == "preference for MINE"


def test_intervals_are_shaded(table):
    axes = pl.metrics_along_front(table, ["leakage_mean", "retention"])
    bands = [[c for c in ax.collections if c.get_gid() == "interval"] for ax in axes]
    assert len(bands[1]) == 0
    vertices = bands[0][0].get_paths()[0].vertices
    for point, (low, high) in enumerate(table[["leakage_mean_low", "leakage_mean_high"]].to_numpy()):
        there = vertices[vertices[:, 0] == point, 1]
        assert (there.min(), there.max()) == pytest.approx((low, high))


def test_selected_point_is_marked(table):
    (ax,) = pl.metrics_along_front(table, ["retention"], selected=2, x="preference")
    (line,) = [line for line in ax.lines if line.get_gid() == "selected"]
    np.testing.assert_allclose(line.get_xdata(), 0.6)
    (ring,) = [c for c in ax.collections if c.get_gid() == "selected"]
    np.testing.assert_allclose(ring.get_offsets(), [[0.6, 0.38]])
    with pytest.raises(ValueError, match=r"points: \[0, 1, 2, 3\]"):
        pl.metrics_along_front(table, selected=4)


def test_extremes_have_their_markers_and_are_explained(table):
    axes = pl.metrics_along_front(table, ["leakage_mean", "retention"], selected=1)
    for ax in axes:
        dots = [c for c in ax.collections if c.get_gid() == "points"]
        shapes = {c.get_paths()[0].vertices.tobytes(): c.get_offsets()[:, 0].tolist() for c in dots}
        assert sorted(shapes.values()) == [[0.0], [1.0, 2.0], [3.0]]
    (legend,) = axes[0].figure.legends
    assert [t.get_text() for t in legend.get_texts()] == ["uncorrected", "strongest", "interval", "selected"]
    axes[0].figure.canvas.draw()
    assert legend.get_window_extent().y1 < axes[0].get_window_extent().y0
    assert not pl.metrics_along_front(table, ["retention"], legend=False)[0].figure.legends


@pytest.mark.parametrize("n_columns", [1, 2])
def test_everything_lies_within_the_figure(table, n_columns):
    table = table.assign(alarm=[0.0, 0.1, 0.6, 0.9])
    axes = pl.metrics_along_front(table, ["retention"], x="leakage_mean", selected=2, n_columns=n_columns)
    figure = axes[0].figure
    figure.canvas.draw()
    inside, tight = figure.bbox, figure.get_tightbbox().transformed(figure.dpi_scale_trans)
    assert inside.x0 <= tight.x0 <= tight.x1 <= inside.x1 + 1
    assert inside.y0 <= tight.y0 <= tight.y1 <= inside.y1 + 1


def test_any_measure_can_be_drawn_against_any_other(table):
    table = table.assign(scib_bio=[0.6, 0.65, np.nan, 0.5])
    table.loc[1, "leakage_mean"] = np.nan
    columns = ["scib_bio", "leakage_mean_low", "mine_test"]
    with pytest.raises(ValueError, match="'leakage_mean_low' cannot be drawn"):
        pl.metrics_along_front(table, columns)
    axes = pl.metrics_along_front(table, ["scib_bio", "mine_test"], x="leakage_mean")
    np.testing.assert_allclose(points(axes[1]), [[0.1, 0.08], [0.2, 0.16], [1.0, 0.8]])
    assert axes[0].get_xlim() == axes[1].get_xlim()
    with pytest.raises(ValueError, match=r"selected=1 is not a point .* points: \[0, 2, 3\]"):
        pl.metrics_along_front(table, ["scib_bio"], x="leakage_mean", selected=1)


def test_scores_and_alarm_are_drawn_by_default(table):
    table = table.assign(alarm=0.0, scib_total=0.5, scib_bio=0.5, scib_clisi=0.9)
    titles = [ax.get_title(loc="left").split("better")[0].strip() for ax in pl.metrics_along_front(table)]
    wanted = ["neighbourhood retention", "scIB bio conservation", "scIB total score", "over-correction alarm"]
    assert titles[3:] == wanted


def test_what_was_judged_comes_first(judged_front):
    axes = pl.metrics_along_front(judged_front(), selected=1)
    titles = [" ".join(ax.get_title(loc="left").split()) for ax in axes]
    assert titles == [
        "batch left (%) better ↓",
        "structure kept (%) better ↑",
        "generative loss test cells (nats per cell) better ↓",
        "over-correction alarm",
    ]
    for gid, point in (("selected", 1), ("recommended", 4)):
        lines = [line.get_xdata()[0] for ax in axes for line in ax.lines if line.get_gid() == gid]
        assert lines == [point] * 4
    (legend,) = axes[0].figure.legends
    assert [t.get_text() for t in legend.get_texts()][-3:] == ["recommended", "selected", "alarm rings"]


def test_a_tenth_of_a_percent_does_not_look_like_a_loss(table):
    (ax,) = pl.metrics_along_front(table.assign(structure_kept=[99.0, 99.1, 99.0, 98.9]), ["structure_kept"])
    assert np.ptp(ax.get_ylim()) >= 10


def test_given_axes(table):
    _, axes = plt.subplots(2)
    drawn = pl.metrics_along_front(table, ["retention", "mine_test"], axes=axes)
    assert list(drawn) == list(axes)
    with pytest.raises(ValueError, match="1 columns need as many axes, got 2"):
        pl.metrics_along_front(table, ["retention"], axes=axes)


def test_unknown_names_list_the_valid_ones(table):
    with pytest.raises(ValueError, match="'nothing' cannot be drawn; valid columns: .*leakage_mean, retention"):
        pl.metrics_along_front(table, ["retention", "nothing"])
    with pytest.raises(ValueError, match="'seed' cannot be drawn; valid columns: preference, point, preference_"):
        pl.metrics_along_front(table, x="seed")
    with pytest.raises(ValueError, match="'preference' cannot be drawn"):
        pl.metrics_along_front(table.assign(preference_mmd=0.0), x="preference")
    with pytest.raises(ValueError, match="no columns to draw"):
        pl.metrics_along_front(table, [])
    with pytest.raises(ValueError, match="n_columns=0"):
        pl.metrics_along_front(table, n_columns=0)


def test_settings_are_untouched_and_the_picture_is_not_blank(table, tmp_path):
    before = dict(mpl.rcParams)
    figure = pl.metrics_along_front(table)[0].figure
    figure.savefig(tmp_path / "metrics.png", dpi=100)
    assert dict(mpl.rcParams) == before
    assert len(figure.axes) == 4
    assert (plt.imread(tmp_path / "metrics.png")[..., :3].min(axis=2) < 0.7).mean() > 0.02
