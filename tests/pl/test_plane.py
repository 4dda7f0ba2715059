"""Several fronts in one plane."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from scpareto import pl

if TYPE_CHECKING:
    from matplotlib.axes import Axes

mpl.use("Agg")


def table(shift: float = 0.0, n: int = 5) -> pd.DataFrame:
    """A front whose last but one point is dominated."""
    share = np.linspace(0, 1, n)
    loss = 330.0 + 8 * share**2
    loss[-2] += 9.0
    return pd.DataFrame(
        {
            "point": range(n),
            "kind": ["extreme", *["candidate"] * (n - 2), "extreme"],
            "preference_generative_loss": 1 - share,
            "preference_mine": share,
            "generative_loss_test": loss + shift,
            "mine_test": 1.0 - 0.9 * share,
            "retention": 0.4 - 0.1 * share,
        }
    )


def marks(ax: Axes, gid: str) -> list[tuple[str, np.ndarray]]:
    """Colour and places of each group of markers."""
    found = [c for c in ax.collections if c.get_gid() == gid]
    return [
        (to_hex((c.get_facecolors() if gid == "non-dominated" else c.get_edgecolors())[0]), c.get_offsets())
        for c in found
    ]


def test_each_front_has_its_colour_marker_line_and_name():
    fronts = {"first": table(), "second": table(1.0), "third": table(2.0, n=7)}
    ax = pl.front(fronts)
    handles, names = ax.get_legend().legend_handles, [t.get_text() for t in ax.get_legend().get_texts()]
    assert names == ["first", "second", "third", "dominated"]
    looks = [(to_hex(h.get_color()), h.get_marker(), h.get_linestyle()) for h in handles[:3]]
    assert all(len(set(kind)) == 3 for kind in zip(*looks, strict=True))
    borders = [to_hex(line.get_color()) for line in ax.lines if line.get_gid() == "border"]
    filled = marks(ax, "non-dominated")
    assert [color for color, _ in filled] == borders == [color for color, _, _ in looks]
    assert [len(xy) for _, xy in filled] == [4, 4, 6]


def test_each_front_is_culled_by_itself():
    # every point of the worse front is dominated by the better one
    ax = pl.front([table(), table(100.0)])
    for gid, n in (("non-dominated", 4), ("dominated", 1)):
        assert [len(xy) for _, xy in marks(ax, gid)] == [n, n]
    alone = [line.get_xydata() for line in pl.front(table(100.0)).lines if line.get_gid() == "border"]
    together = [line.get_xydata() for line in ax.lines if line.get_gid() == "border"]
    np.testing.assert_allclose(together[1], alone[0])


def test_a_list_is_numbered_and_a_named_front_needs_no_company():
    ax = pl.front([table(), table(1.0)])
    assert [t.get_text() for t in ax.get_legend().get_texts()][:2] == ["front 1", "front 2"]
    assert pl.front({"only": table()}).get_legend().get_texts()[0].get_text() == "only"


def test_names_of_extremes_are_written_once_where_fronts_meet():
    def words(ax: Axes) -> list[str]:
        return sorted(t.get_text() for t in ax.texts)

    assert words(pl.front([table(), table(20.0)])) == ["strongest", "strongest", "uncorrected", "uncorrected"]
    assert words(pl.front([table(), table()])) == ["strongest", "uncorrected"]
    assert words(pl.front([table(), table()], label_points=False)) == []


def test_points_are_chosen_by_front():
    fronts = {"first": table(), "second": table(20.0)}
    (chosen,) = [xy for _, xy in marks(pl.front(fronts, selected={"second": 2}), "selected")]
    np.testing.assert_allclose(chosen, [[0.55, 352.0]])
    ax = pl.front(fronts, selected=2)
    np.testing.assert_allclose(np.vstack([xy for _, xy in marks(ax, "selected")]), [[0.55, 332.0], [0.55, 352.0]])
    assert [t.get_text() for t in ax.texts].count("2") == 2
    assert "4 strongest" in [t.get_text() for t in pl.front(fronts, selected={"first": 4}).texts]
    with pytest.raises(ValueError, match="selected names 'third'; valid fronts: 'first', 'second'"):
        pl.front(fronts, selected={"third": 1})
    with pytest.raises(ValueError, match=re.escape("selected=9 is not a point of 'first' in this plane; points: [0,")):
        pl.front(fronts, selected={"first": 9})
    with pytest.raises(ValueError, match="one front has no name"):
        pl.front(table(), selected={"first": 1})


def test_what_one_front_minimised_is_minimised_for_all():
    column = {"total_test": [0.5, 0.4, 0.3, 0.2, 0.1]}
    trained = table().assign(**column, preference_total=0.0)
    ax = pl.front([table().assign(**column), trained], x="total_test", y="mine_test")
    assert "better ←" in ax.get_xlabel()
    assert "better →" in pl.front([table().assign(**column)], x="total_test", y="mine_test").get_xlabel()


def test_bad_fronts_are_named():
    with pytest.raises(TypeError, match="front 2 must be a Front .* or an AnnData that stores one; got int"):
        pl.front([table(), 2])
    with pytest.raises(ValueError, match="front is empty"):
        pl.front({})
    with pytest.raises(ValueError, match="'retention' cannot be drawn"):
        pl.front({"a": table(), "b": table().drop(columns="retention")}, y="retention")
    scattered = table().assign(a=[1, np.nan, np.nan, 1, 1], b=[np.nan, 1, 1, np.nan, np.nan])
    full = table().assign(a=1.0, b=1.0)
    with pytest.raises(ValueError, match="No point of 'second' has both 'a' and 'b'"):
        pl.front({"first": full, "second": scattered}, x="a", y="b")


def test_more_fronts_than_looks_can_be_drawn():
    ax = pl.front([table(float(i)) for i in range(10)], legend=False)
    assert len([line for line in ax.lines if line.get_gid() == "border"]) == 10
    assert ax.get_legend() is None
