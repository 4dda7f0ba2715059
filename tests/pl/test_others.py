from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

from scpareto import pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes

mpl.use("Agg")


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame({"point": range(4), "leakage_mean": [1.0, 0.5, 0.2, 0.1], "retention": [0.4, 0.39, 0.37, 0.3]})


@pytest.fixture
def others() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "leakage_mean": [0.9, 0.3, np.nan],
            "retention": [0.38, 0.33, 0.2],
            "retention_low": [0.37, 0.32, 0.1],
            "retention_high": [0.40, 0.34, 0.3],
            "note": ["a", "b", "c"],
        },
        index=["scVI", "Harmony", "unfinished"],
    )


def draw(table: pd.DataFrame | dict[str, pd.DataFrame], others: pd.DataFrame, **kwargs: object) -> Axes:
    return pl.front(table, x="leakage_mean", y="retention", others=others, **kwargs)


def marks(ax: Axes) -> np.ndarray:
    return np.vstack([c.get_offsets() for c in ax.collections if c.get_gid() == "other"])


def test_methods_are_drawn_with_their_names_and_leave_the_front_as_it_is(table, others):
    ax = draw(table, others, label_points=False)
    np.testing.assert_allclose(marks(ax), [[0.9, 0.38], [0.3, 0.33]])
    assert {t.get_text(): t.xy for t in ax.texts} == {"scVI": (0.9, 0.38), "Harmony": (0.3, 0.33)}
    best = others.assign(leakage_mean=0.0, retention=1.0)
    kept = [c.get_offsets() for c in draw(table, best).collections if c.get_gid() == "non-dominated"]
    assert len(np.vstack(kept)) == 4


def test_methods_have_different_markers_and_are_grey(table, others):
    ax = draw(table, pd.concat([others[:2]] * 3))
    dots = [c for c in ax.collections if c.get_gid() == "other"]
    assert len({c.get_paths()[0].vertices.tobytes() for c in dots}) == len(dots) == 6
    assert all(np.ptp(c.get_facecolors()[0, :3]) == 0 for c in dots)


def test_intervals_of_methods(table, others):
    def bars(ax: Axes) -> list[np.ndarray]:
        return [np.array(c.get_segments()) for c in ax.collections if c.get_gid() == "interval"]

    (drawn,) = bars(draw(table, others))
    np.testing.assert_allclose(drawn[:, :, 1], [[0.37, 0.40], [0.32, 0.34]])
    np.testing.assert_allclose(drawn[:, :, 0], [[0.9, 0.9], [0.3, 0.3]])
    assert not bars(draw(table, others, intervals=False))


def test_names_do_not_cover_each_other(table, others):
    crowd = others.iloc[[0, 1, 1]].set_axis(["scVI", "Harmony", "Scanorama"])
    crowd["leakage_mean"] = [0.5, 0.5, 0.5]
    crowd["retention"] = [0.385, 0.385, 0.39]
    ax = draw(table, crowd)
    ax.figure.canvas.draw()
    boxes = [t.get_window_extent() for t in ax.texts]
    assert len(boxes) == 7
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    legend = ax.get_legend().get_window_extent()
    assert not any(legend.overlaps(box) for box in boxes)


def test_methods_stand_beside_several_fronts(table, others):
    ax = pl.front(
        {"a": table, "b": table.assign(retention=table["retention"] - 0.1)},
        y="retention",
        x="leakage_mean",
        others=others,
    )
    assert len(marks(ax)) == 2


def test_bad_others(table, others):
    with pytest.raises(ValueError, match="others has no numbers 'leakage_mean'; its columns: retention, retention_low"):
        draw(table, others.drop(columns="leakage_mean"))
    with pytest.raises(ValueError, match="others has no numbers 'retention'"):
        draw(table, others.assign(retention="high"))
    with pytest.raises(ValueError, match="No method of others has both 'leakage_mean' and 'retention'"):
        draw(table, others.assign(retention=np.nan))
    with pytest.raises(TypeError, match="others must be a pandas DataFrame indexed by method, got dict"):
        draw(table, {"scVI": (0.9, 0.38)})
