"""Pictures are shown, saved and returned alike."""

from __future__ import annotations

import inspect

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread

from scpareto import pl

mpl.use("Agg")

NO_PICTURES = {"embed", "explorer"}
"""One computes, the other writes a page."""


@pytest.fixture(scope="module")
def pictures(judged_front):
    """Calls of functions that need little, by name."""
    front, rng = judged_front(), np.random.default_rng(0)
    judged = pd.DataFrame({"batch_left": [90.0, 5.0], "structure_kept": [99.0, 98.0], "recommended": [False, True]})
    cells = rng.normal(size=(40, 2))
    return {
        "front": lambda **given: pl.front(front, **given),
        "front_panels": lambda **given: pl.front_panels(front, **given),
        "metrics_along_front": lambda **given: pl.metrics_along_front(front, **given),
        "curve": lambda **given: pl.curve(front, **given),
        "front_populations": lambda **given: pl.front_populations(front, **given),
        "judge": lambda **given: pl.judge(judged, **given),
        "front_embedding": lambda **given: pl.front_embedding({0: cells}, {"batch": ["a", "b"] * 20}, **given),
        "disentanglement": lambda **given: pl.disentanglement(cells, {"step": cells[:, 0]}, **given),
    }


NAMES = sorted(set(pl.__all__) - NO_PICTURES - {"batch_effects", "judge_populations", "survives", "traversal"})


def test_every_picture_can_be_shown_saved_and_returned():
    for name in set(pl.__all__) - NO_PICTURES:
        given = inspect.signature(getattr(pl, name)).parameters
        assert [given[word].default for word in ("show", "save", "return_fig")] == [None, None, False], name
        assert {"ax", "axes"} & set(given), name


@pytest.mark.parametrize("name", NAMES)
def test_what_is_returned(pictures, name, monkeypatch, tmp_path):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(name))
    axes = pictures[name]()
    assert all(isinstance(ax, Axes) for ax in np.ravel(axes))
    assert type(pictures[name](show=False)) is type(axes)
    assert not shown
    figure = pictures[name](return_fig=True)
    assert isinstance(figure, Figure)
    assert figure.axes
    assert pictures[name](show=True) is None
    assert shown == [name]
    path = tmp_path / "pictures" / "of" / f"{name}.png"
    assert pictures[name](save=path) is not None
    height, width, _ = imread(path).shape
    # the layout is cropped to what is drawn, at 300 dots per inch
    assert width > 200
    assert height > 200
    assert [file.name for file in path.parent.iterdir()] == [f"{name}.png"]


def test_the_kind_of_file_is_told_by_its_name(pictures, tmp_path):
    for ending, begin in ((".pdf", b"%PDF"), (".svg", b"<?xml"), (".PNG", b"\x89PNG")):
        path = tmp_path / f"front{ending}"
        pictures["front"](save=str(path))
        assert path.read_bytes().startswith(begin)


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_file_is_refused_before_anything_is_drawn(pictures, name, tmp_path):
    for bad in ("front", ".pdf", tmp_path / "front.xlsx", "front."):
        with pytest.raises(ValueError, match=r"must end in one of .*\.pdf.*\.png.*\.svg"):
            pictures[name](save=bad)
    with pytest.raises(TypeError, match="save=True must be a path, such as"):
        pictures[name](save=True)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(ValueError, match="is a folder; give a file in it"):
        pictures[name](save=tmp_path / "folder.png")
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is no folder that can be written to"):
        pictures[name](save=tmp_path / "file" / "front.png")
    assert not plt.get_fignums()


def test_the_figure_of_given_axes_is_saved_whole(pictures, tmp_path):
    figure, axes = plt.subplots(1, 2, figsize=(6, 3))
    assert pictures["front"](ax=axes[0], return_fig=True, save=tmp_path / "two.png") is figure
    height, width, _ = imread(tmp_path / "two.png").shape
    assert width > 1.5 * height


def test_own_resolution_is_kept(pictures, tmp_path):
    sizes = []
    for dots in ("figure", 100):
        with mpl.rc_context({"savefig.dpi": dots}):
            pictures["judge"](save=tmp_path / "judge.png")
        sizes.append(imread(tmp_path / "judge.png").shape[1])
    assert sizes[0] / sizes[1] == pytest.approx(3, rel=0.05)
