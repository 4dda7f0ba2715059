"""A picture of a front, of the model that holds it, and of cells in which it was noted is the same."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import anndata
import matplotlib as mpl
import matplotlib.pyplot as plt
import mudata
import numpy as np
import pandas as pd
import pytest

from scpareto import pl
from scpareto.pareto import Front, front_record

if TYPE_CHECKING:
    from matplotlib.axes import Axes

mpl.use("Agg")

OF_A_FRONT = [pl.front, pl.front_panels, pl.metrics_along_front, pl.curve, pl.front_populations]


def noted(**fronts: Front) -> anndata.AnnData:
    """Cells in which fronts were noted."""
    adata = anndata.AnnData(np.ones((4, 2), dtype=np.float32))
    adata.uns["scpareto"] = {name: front_record(front, front.method, front.selected) for name, front in fronts.items()}
    return adata


def sweep(values=(0.0, 0.5, 2.0, 8.0), left=(60.0, 30.0, 9.0, 4.0)) -> Front:
    """A front of the option of another method."""
    table = pd.DataFrame({"point": range(len(values)), "value": values, "batch_left": left})
    table["structure_kept"] = [98.0, 97.0, 96.5, 90.0]
    record = {"knob": "theta", "method": "harmony", "library": "", "failed": {}, "key": ""}
    return Front(table, objectives=["generative_loss", "theta"], metadata={"sweep": record})


def places(ax: Axes) -> dict[str, np.ndarray]:
    return {
        gid: np.vstack([c.get_offsets() for c in ax.collections if c.get_gid() == gid] or [np.empty((0, 2))])
        for gid in ("non-dominated", "dominated", "recommended", "selected", "alarm")
    }


def words(ax: Axes) -> list[str]:
    return sorted(text.get_text() for text in ax.texts)


@pytest.fixture
def front(judged_front) -> Front:
    made = judged_front()
    made.selected = 2
    return made


@pytest.mark.parametrize(
    "draw",
    [pl.front, pl.front_panels, pl.metrics_along_front, pl.curve, pl.front_populations],
    ids=lambda f: f.__name__,
)
def test_model_and_cells_are_drawn_as_the_front(front, draw, tmp_path):
    adata = noted(paretovi=front)
    adata.write_h5ad(tmp_path / "cells.h5ad")
    mdata = mudata.MuData({"rna": adata, "protein": anndata.AnnData(np.ones((4, 1), dtype=np.float32))})
    sources = [SimpleNamespace(front=front), adata, anndata.read_h5ad(tmp_path / "cells.h5ad"), mdata]
    recommendation = list(np.ravel(draw(front)))
    for source in sources:
        for ax, other in zip(recommendation, np.ravel(draw(source)), strict=True):
            assert ax.get_title(loc="left") == other.get_title(loc="left")
            assert (ax.get_xlabel(), ax.get_ylabel()) == (other.get_xlabel(), other.get_ylabel())
            assert words(ax) == words(other)
            for gid, xy in places(ax).items():
                np.testing.assert_allclose(xy, places(other)[gid], err_msg=gid)
            for line, again in zip(ax.lines, other.lines, strict=True):
                np.testing.assert_allclose(line.get_xydata(), again.get_xydata())


def test_the_selected_point_is_framed_unless_it_is_recommended(front):
    assert places(pl.front(front))["selected"].tolist() == [[7.0, 97.5]]
    assert places(pl.front(front, selected=1))["selected"].tolist() == [[11.0, 97.9]]
    front.selected = front.recommended
    assert not len(places(pl.front(front))["selected"])
    front.selected = None
    assert not len(places(pl.front(front))["selected"])


def test_cells_with_several_fronts_show_all_or_one(front):
    adata = noted(paretovi=front, harmony=sweep())
    ax = pl.front(adata)
    assert {"paretovi", "harmony"} < {text.get_text() for text in ax.get_legend().get_texts()}
    assert pl.front(adata, key="harmony").get_title(loc="left").replace("\n", " ").startswith("Recommended: point")
    assert len(pl.metrics_along_front(adata, ["batch_left"], key="harmony")) == 1
    with pytest.raises(ValueError, match="stores 2 fronts; choose one by key: 'paretovi', 'harmony'"):
        pl.front_panels(adata)
    with pytest.raises(KeyError, match="key='scanorama' is no front .* there are 'paretovi', 'harmony'"):
        pl.front(adata, key="scanorama")
    with pytest.raises(ValueError, match="key='harmony' chooses among the fronts of an AnnData; front is a Front"):
        pl.front(front, key="harmony")


def test_cells_and_a_model_are_several_fronts(front):
    ax = pl.front({"mine": SimpleNamespace(front=front), "theirs": noted(harmony=sweep())})
    assert {"mine", "theirs"} < {text.get_text() for text in ax.get_legend().get_texts()}


@pytest.mark.parametrize(
    "draw",
    [pl.front, pl.front_panels, pl.metrics_along_front, pl.curve, pl.front_populations],
    ids=lambda f: f.__name__,
)
def test_what_holds_no_front_is_refused(draw, front):
    for bad in (3, "front.csv", np.ones((3, 2)), None):
        with pytest.raises(
            TypeError, match=f"must be a Front .* a model with a front, .* AnnData.*{type(bad).__name__}"
        ):
            draw(bad)
    with pytest.raises(ValueError, match="has no front yet. Call train"):
        draw(SimpleNamespace(front=None))
    bare = noted()
    with pytest.raises(KeyError, match=r"holds no front. sp.tl.integrate\(adata, batch_key=...\), sp.tl.sweep"):
        draw(bare)
    # a record of embeddings alone says too little
    bare.uns["scpareto"] = {"embeddings": {"X_scpareto": {"point": 3, "batch_left": 4.0}}}
    with pytest.raises(KeyError, match="holds no front"):
        draw(bare)
    assert not plt.get_fignums()


def test_a_record_without_tables_is_drawn_and_recommends_nothing(front):
    adata = noted(paretovi=front)
    del adata.uns["scpareto"]["paretovi"]["tables"]
    ax = pl.front(adata)
    assert ax.get_title(loc="left") == ""
    assert len(places(ax)["recommended"]) == 0
    with pytest.raises(TypeError, match="front must be a Front with a judged path, got DataFrame"):
        pl.curve(adata)


def test_points_of_a_sweep_are_named_by_the_value_of_its_option():
    assert words(pl.front(sweep())) == ["theta 0", "theta 0.5", "theta 2", "theta 8"]
    assert words(pl.front(sweep(values=("a", "b", "c", "d")))) == ["theta a", "theta b", "theta c", "theta d"]
    # among several fronts the ends, and what is recommended
    recommended = sweep().recommended
    assert words(pl.front({"harmony": sweep()})) == sorted(
        {"theta 0", f"theta {(0, 0.5, 2, 8)[recommended]:g}", "theta 8"}
    )
    assert words(pl.front([sweep()], selected=1)) == sorted({*words(pl.front([sweep()])), "theta 0.5"})
    ax = pl.metrics_along_front(sweep(), ["batch_left"])[0]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "0.5", "2", "8"]
    assert ax.get_xlabel() == "theta"


def covered(ax: Axes) -> int:
    """Number of points that the legend covers."""
    ax.figure.draw_without_rendering()
    box = ax.get_legend().get_window_extent()
    xy = np.vstack([c.get_offsets() for c in ax.collections if c.get_gid() in ("non-dominated", "dominated")])
    return sum(box.contains(*place) for place in ax.transData.transform(xy))


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_legend_of_several_fronts_covers_no_point(front, n):
    # points fill all corners
    table = pd.DataFrame({"point": range(100), "batch_left": np.repeat(np.arange(10.0), 10) * 9})
    table["structure_kept"] = np.tile(np.arange(10.0), 10) * 9
    fronts = {
        f"a front with a name of some length, {i}": table.assign(batch_left=table["batch_left"] + i) for i in range(n)
    }
    ax = pl.front(fronts, label_points=False)
    assert covered(ax) == 0
    # the axes keep the size of a picture without a legend
    height = ax.get_window_extent().height
    bare = pl.front(fronts, label_points=False, legend=False)
    bare.figure.draw_without_rendering()
    assert height == pytest.approx(bare.get_window_extent().height, rel=0.1)


@pytest.mark.parametrize(
    ("left", "kept"),
    [((90.0, 60.0, 30.0, 5.0), (60.0, 80.0, 90.0, 95.0)), ((16.0, 11.0, 4.0, 1.0), (98.0, 97.0, 96.0, 70.0))],
)
def test_the_legend_of_one_front_leaves_its_corner_to_points(judged_front, left, kept):
    assert covered(pl.front(judged_front(left, kept, alarm=0.0), intervals=False)) == 0
