"""The explorer: what lands in the page, what it refuses, and that it leaves the model alone."""

from __future__ import annotations

import base64
import json
import re
import sys
import zlib
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from scpareto import pl
from scpareto.pareto import shares_of
from scpareto.pl._explorer._cells import encode_along_front, sample_stratified
from scpareto.pl._explorer._colorings import Coloring
from scpareto.pl._explorer._pack import pack

POINTS = (0, 1, 3, 4)


@pytest.fixture
def adata(cells):
    return cells()


@pytest.fixture
def model(adata, front_model):
    return front_model(adata)


@pytest.fixture
def embeddings(adata):
    rng = np.random.default_rng(3)
    start = rng.normal(size=(adata.n_obs, 2)) * [8.0, 3.0]
    return {point: start + point for point in POINTS}


def read(page):
    """Return header, coordinates `(points, cells, 2)` and codes `(colourings, cells)`, as the page's script does."""
    header = json.loads(re.search(r'id="scpareto-explorer-header">(.*?)</script>', page, re.S).group(1))
    data = re.search(r'id="scpareto-explorer-data">(.*?)</script>', page, re.S).group(1)
    body = zlib.decompress(base64.b64decode(data))
    n, points = header["n_cells"], len(header["points"])
    steps = np.frombuffer(body, "<u2", count=2 * n * points).reshape(points, 2, n).transpose(0, 2, 1)
    low, high = np.array(header["low"]), np.array(header["high"])
    codes = np.frombuffer(body, np.uint8, offset=4 * n * points).reshape(-1, n)
    return header, low + steps / 65535 * (high - low), codes


def written(adata, model, folder, **kwargs):
    path = pl.explorer(adata, model, folder / "front.html", **kwargs)
    return path.read_text(encoding="utf-8")


def test_coordinates_and_colours_survive_the_round_trip(adata, model, embeddings, tmp_path):
    adata.obs.loc["cell_5", "n_counts"] = np.nan
    adata.obs["cell_type"] = adata.obs["cell_type"].cat.add_categories("unseen")
    adata.obs.loc["cell_7", "cell_type"] = np.nan
    page = written(
        adata, model, tmp_path, color=["cell_type", "n_counts"], genes=["GENE3"], embeddings=embeddings, seed=4
    )
    header, embed_codes, codes = read(page)
    order = sample_stratified(None, adata.n_obs, adata.n_obs, 4)
    assert sorted(order) == list(range(adata.n_obs))
    assert [point["number"] for point in header["points"]] == list(POINTS)
    step = (np.array(header["high"]) - header["low"]) / 65535
    for place, point in enumerate(POINTS):
        assert (np.abs(embed_codes[place] - embeddings[point][order]) <= 0.51 * step).all()

    types, counts, gene = header["colorings"]
    assert types["categories"] == ["B", "NK", "T"]
    names = np.array([*types["categories"], *[None] * 253], dtype=object)
    expected = adata.obs["cell_type"].astype(object).iloc[order]
    assert list(names[codes[0]]) == list(expected.where(expected.notna(), None))
    values = adata.obs["n_counts"].to_numpy()[order]
    assert codes[1][np.isnan(values)].tolist() == [255]
    decoded = counts["low"] + codes[1] / 254 * (counts["high"] - counts["low"])
    inside = (values >= counts["low"]) & (values <= counts["high"])
    assert 0.95 * len(order) < inside.sum() < len(order)
    np.testing.assert_allclose(decoded[inside], values[inside], atol=(counts["high"] - counts["low"]) / 500)
    raw = adata.X.toarray()
    expression = np.log1p(1e4 * raw[:, 3] / raw.sum(axis=1))[order]
    assert gene["kind"] == "gene"
    np.testing.assert_allclose(codes[2] / 254 * gene["high"], expression, atol=gene["high"] / 500)


def test_the_front_is_described_in_plain_values(adata, model, embeddings, tmp_path):
    header, *_ = read(written(adata, model, tmp_path, embeddings=embeddings))
    metrics = {metric["key"]: metric for metric in header["metrics"]}
    assert list(metrics) == ["generative_loss_test", "mine_test", "leakage_mean", "retention", "alarm"]
    np.testing.assert_allclose(metrics["leakage_mean"]["high"], np.array([0.8, 0.3, 0.1, 0.05]) * 1.2)
    assert metrics["retention"]["values"] == [0.42, 0.42, None, 0.31]
    assert [key for key, metric in metrics.items() if metric["higher"]] == ["retention"]
    # three digits of the range: 8 nats, 0.75 nats
    assert (metrics["generative_loss_test"]["digits"], metrics["leakage_mean"]["digits"]) == (2, 3)
    assert header["plane"] == {"x": 2, "y": 0, "kept": [True] * 4}
    assert header["alarm"] == [0.0, 0.0, 0.4, 0.9]
    assert header["selected"] == 1
    assert header["points"][header["recommended"]]["number"] == model.front.recommended
    assert {point["left"] for point in header["points"]} == {""}, "nothing was judged"
    assert [point["name"] for point in header["points"]] == ["uncorrected", "", "", "strongest"]
    assert header["points"][1]["preference"] == "preference for MINE 0.3"


def test_the_slider_can_pass_some_points_alone(adata, model, embeddings, tmp_path):
    some = {point: embeddings[point] for point in (0, 3)}
    header, embed_codes, _ = read(written(adata, model, tmp_path, embeddings=some, points=[0, 3]))
    assert [point["number"] for point in header["points"]] == [0, 3]
    assert len(embed_codes) == 2
    assert header["alarm"] == [0.0, 0.4]


class AllWeights:
    """Stands for the weights at all preferences."""


def test_places_between_the_points_are_shown_and_not_judged(adata, model, tmp_path):
    model.front.path = AllWeights()
    page = written(adata, model, tmp_path, preferences=[0.0, 0.15, 0.3, 0.5, 1.0], n_epochs=5, genes=["GENE3"])
    header, embed_codes, _ = read(page)
    places = [0, 0.15, 1, 0.5, 3, 4]
    assert [point["number"] for point in header["points"]] == places
    assert [point["judged"] for point in header["points"]] == [isinstance(place, int) for place in places]
    assert model.visited == places
    assert model.selected == 1
    assert len(embed_codes) == len(places)
    leakage = next(metric for metric in header["metrics"] if metric["key"] == "leakage_mean")
    assert leakage["values"] == [0.8, None, 0.3, None, 0.1, 0.05]
    assert leakage["low"][1] is leakage["high"][1] is None
    assert header["alarm"] == [0.0, None, 0.0, None, 0.4, 0.9]
    assert header["plane"]["kept"] == [True, False, True, False, True, True]
    assert header["selected"] == 2
    assert "4 points and 2 places between" in header["note"]


def test_the_judged_plane_and_what_is_left_are_told(adata, front_model, judged_front, tmp_path):
    model = front_model(adata, selected=2)
    model.front = judged_front()
    model.front.path = AllWeights()
    places = [*range(6), 0.06]
    placed = {place: np.random.default_rng(0).normal(size=(adata.n_obs, 2)) for place in places}
    page = written(adata, model, tmp_path, preferences=[0.06], embeddings=placed)
    header, *_ = read(page)
    keys = [metric["key"] for metric in header["metrics"]]
    assert keys[:3] == ["batch_left", "structure_kept", "generative_loss_test"]
    assert header["plane"]["x"] == 0
    assert header["plane"]["y"] == 1
    numbers = [point["number"] for point in header["points"]]
    kept = [known for known, number in zip(header["plane"]["kept"], numbers, strict=True) if number != 0.06]
    assert kept == model.front.table["non_dominated"].tolist()
    assert numbers[header["recommended"]] == model.front.recommended == 4
    assert numbers[header["selected"]] == 2
    left = {point["number"]: point["left"] for point in header["points"]}
    assert left[2] == "7 % of the batch left"
    # between the points the judged curve speaks
    share = shares_of([0.94, 0.06])[1]
    curve = model.front.curve()
    assert left[0.06] == f"about {round(np.interp(share, curve['place'], curve['batch_left_fit']))} % of the batch left"
    assert "6 points and 1 place between" in header["note"]


def test_the_recommendation_is_that_of_the_whole_front(adata, front_model, judged_front, tmp_path):
    model = front_model(adata, selected=2)
    model.front = judged_front()
    placed = {place: np.random.default_rng(0).normal(size=(adata.n_obs, 2)) for place in (0, 2)}
    header, *_ = read(written(adata, model, tmp_path, points=[0, 2], embeddings=placed))
    assert header["recommended"] is None


def test_places_between_need_a_front_that_has_them(adata, model, tmp_path):
    with pytest.raises(ValueError, match="trained apart"):
        written(adata, model, tmp_path, preferences=[0.5])
    model.front.path = AllWeights()
    for wrong in ([1.5], [-0.1], [np.nan], [[0.5]]):
        with pytest.raises(ValueError, match="between 0 and 1"):
            written(adata, model, tmp_path, preferences=wrong)
    with pytest.raises(ValueError, match="1.0 is also the number of another point"):
        written(adata, model, tmp_path, points=[0, 1, 3], preferences=[0.5, 1.0])
    model.front.objectives = ["generative_loss", "mine", "hsic"]
    with pytest.raises(ValueError, match="two objectives"):
        written(adata, model, tmp_path, preferences=[0.5])


def test_a_front_without_alarm_or_leakage_is_shown_too(adata, front_model, embeddings, tmp_path):
    model = front_model(adata, alarm=False)
    header, *_ = read(written(adata, model, tmp_path, embeddings=embeddings))
    assert header["alarm"] == []
    model.front.table = model.front.table.assign(generative_loss_test=np.nan)
    page = written(adata, model, tmp_path, embeddings=embeddings)
    header, *_ = read(page)
    assert header["plane"] == {"x": None, "y": None, "kept": [False] * 4}
    assert 'data-picture="front"' not in page
    assert 'data-picture="panels"' in page


def test_the_model_stays_in_its_point_and_cells_and_data_are_untouched(adata, model, tmp_path):
    before, figures = adata.copy(), plt.get_fignums()
    header, embed_codes, _ = read(written(adata, model, tmp_path, basis="tsne", n_epochs=20))
    assert model.selected == 1
    assert model.visited == [*POINTS]
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    assert (adata.X != before.X).nnz == 0
    assert not adata.obsm
    assert plt.get_fignums() == figures
    # all points are embedded together, so that cells move rather than jump
    order = sample_stratified(None, adata.n_obs, adata.n_obs, 0)
    codes = {}
    for point in POINTS:
        with model.at(point):
            codes[point] = model.get_latent_representation()[order]
    together = np.stack(list(pl.embed(codes, basis="tsne", n_epochs=20).values()))
    step = (np.array(header["high"]) - header["low"]) / 65535
    assert (np.abs(embed_codes - together) <= 0.51 * step).all()
    assert header["note"] == "120 cells, 4 points, aligned t-SNE"


def test_the_model_is_put_back_after_a_failure(adata, model, tmp_path):
    others = adata.copy()
    others.obs_names = [f"other_{name}" for name in adata.obs_names]
    with pytest.raises(ValueError, match="Cells differ: 120 of 120 cells of adata are not in the data of the model"):
        pl.explorer(others, model, tmp_path / "front.html")
    assert model.selected == 1
    assert not list(tmp_path.iterdir())


def test_cells_follow_their_names(adata, model, tmp_path):
    """In another order, and some of them."""
    order = np.random.default_rng(0).permutation(adata.n_obs)
    for rows in (order, order[:40]):
        codes = encode_along_front(model, [0], adata[rows].copy(), np.arange(len(rows)))[0]
        np.testing.assert_array_equal(codes, encode_along_front(model, [0], adata, np.arange(adata.n_obs))[0][rows])


def test_batches_and_labels_of_the_model_are_the_default(adata, model, embeddings, tmp_path):
    header, *_ = read(written(adata, model, tmp_path, embeddings=embeddings))
    assert [coloring["name"] for coloring in header["colorings"]] == ["batch", "cell_type"]
    header, *_ = read(written(adata, model, tmp_path, embeddings=embeddings, color=[], genes=["GENE1", "GENE1"]))
    assert [coloring["name"] for coloring in header["colorings"]] == ["GENE1"]


def test_too_many_cells_are_subsampled_with_the_shares_of_the_batches(adata, model, embeddings, tmp_path):
    header, embed_codes, codes = read(written(adata, model, tmp_path, embeddings=embeddings, max_cells=40))
    assert header["n_cells"] == 40
    assert header["note"] == "40 of 120 cells, 4 points, aligned embedding"
    # 30 of 120 cells are of the small batch
    assert header["colorings"][0]["categories"] == ["large", "small"]
    assert np.bincount(codes[0]).tolist() == [30, 10]
    assert embed_codes.shape == (4, 40, 2)


def test_every_stratum_keeps_a_cell():
    strata = np.array(["rare"] * 2 + ["common"] * 1000 + ["other"] * 500)
    chosen = sample_stratified(strata, 1502, 30, seed=0)
    assert len(set(chosen)) == 30
    counts = {name: int((strata[chosen] == name).sum()) for name in ("rare", "common", "other")}
    assert counts["rare"] == 1
    assert abs(counts["common"] - 2 * counts["other"]) <= 2
    assert (np.diff(chosen) < 0).any(), "drawn in random order"


def test_the_page_is_one_file_that_needs_nothing_else(adata, model, embeddings, tmp_path):
    page = written(adata, model, tmp_path, embeddings=embeddings, genes=["GENE0"])

    class Links(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag, attributes):
            self.found += [value for name, value in attributes if name in ("src", "href", "srcset", "action")]

    Links().feed(page)
    assert Links.found
    assert all(link.startswith("data:image/png;base64,") for link in Links.found)
    assert "default-src 'none'" in unescape(page)
    assert "@import" not in page
    assert "<table" in page, "for readers without scripts"


def test_size_of_a_large_page(tmp_path):
    n, points, genes = 50_000, 12, 30
    rng = np.random.default_rng(0)
    # random numbers do not compress: real data take less
    embed_codes = {point: rng.normal(size=(n, 2)) for point in range(points)}
    colorings = [Coloring(f"g{i}", "gene", rng.integers(0, 255, n, dtype=np.uint8)) for i in range(genes + 3)]
    _, data = pack(embed_codes, colorings, {})
    bundle = Path(pl.__file__).parent / "_explorer" / "static" / "explorer.js"
    # with a megabyte for the static pictures
    assert 4 / 3 * len(data) + bundle.stat().st_size + 1e6 < 15e6


def test_names_cannot_leave_their_place_in_the_page(adata, model, embeddings, tmp_path):
    evil = "</script><script>alert(1)</script>"
    adata.obs[evil] = adata.obs["batch"].to_numpy()
    adata.obs["batch"] = adata.obs["batch"].replace({"small": evil})
    page = written(adata, model, tmp_path, embeddings=embeddings, color=[evil, "batch"], title=evil)
    assert "<script>alert" not in page
    header, *_ = read(page)
    assert header["title"] == evil
    assert evil in header["colorings"][1]["categories"]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"color": ["sample"]}, ValueError, "color='sample' is not in adata.obs. Available: 'batch', 'cell_type'"),
        ({"color": "batch"}, TypeError, "color must be a list of names, got the string 'batch'"),
        ({"genes": ["GENE33"]}, ValueError, "genes: 'GENE33' is not among the 12 names in adata.var_names, such as"),
        ({"genes": "GENE3"}, TypeError, "genes must be a list of names"),
        ({"color": []}, ValueError, "Nothing to colour by: give color, of 'batch', 'cell_type', 'n_counts', or genes."),
        ({"color": ["name"]}, ValueError, "color='name' has 300 categories; at most 254 can be shown."),
        ({"batch_key": "plate"}, ValueError, "batch_key='plate' is not in adata.obs. Available: 'batch'"),
        ({"genes": ["GENE3"], "layer": "raw"}, ValueError, "layer='raw' is not in adata.layers. Available: none"),
        ({"max_cells": 2}, ValueError, "max_cells=2 must be at least 3."),
        ({"basis": "pca"}, ValueError, "basis='pca' is unknown; valid: 'umap', 'tsne'."),
        ({"embeddings": {0: np.zeros((300, 2))}}, ValueError, "embeddings has points [0]; the front has [0, 1, 3, 4]."),
        (
            {"embeddings": dict.fromkeys(POINTS, np.zeros((5, 2)))},
            ValueError,
            "embeddings[0] must be finite and of shape (300, 2), got shape (5, 2).",
        ),
    ],
)
def test_bad_arguments_name_the_valid_choices(cells, front_model, tmp_path, arguments, error, message):
    adata = cells(300)
    if arguments.get("color") == ["name"]:
        adata.obs["name"] = list(adata.obs_names)
    with pytest.raises(error, match=re.escape(message)):
        pl.explorer(adata, front_model(adata), tmp_path / "front.html", **arguments)
    assert not list(tmp_path.iterdir())


def test_models_without_a_front_and_paths_without_a_folder(adata, model, tmp_path):
    with pytest.raises(TypeError, match=r"model must have a front and at\(\), such as ParetoVI; got dict"):
        pl.explorer(adata, {}, tmp_path / "front.html")
    with pytest.raises(ValueError, match="there is no folder"):
        pl.explorer(adata, model, tmp_path / "nowhere" / "front.html")
    model.front = None
    with pytest.raises(ValueError, match=re.escape("The model has no front yet. Call train() first.")):
        pl.explorer(adata, model, tmp_path / "front.html")


def test_the_widget_holds_what_the_page_holds(adata, model, embeddings, tmp_path):
    pytest.importorskip("anywidget")
    import traitlets

    widget = pl.explorer(adata, model, path=None, embeddings=embeddings)
    header, *_ = read(written(adata, model, tmp_path, embeddings=embeddings))
    assert json.loads(widget.header) == header
    assert len(zlib.decompress(widget.data)) == adata.n_obs * (4 * len(POINTS) + 2)
    assert widget.point == 1
    widget.point = 4
    with pytest.raises(traitlets.TraitError, match=re.escape("point=2 is not on this front; points: [0, 1, 3")):
        widget.point = 2
    assert widget.point == 4


def test_without_anywidget_the_extra_is_named(adata, model, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'scpareto[explorer]'")):
        pl.explorer(adata, model, path=None)
    assert model.visited == [], "refused before anything is computed"


def test_the_bundle_comes_with_its_licences():
    static = Path(pl.__file__).parent / "_explorer" / "static"
    notices = (static / "THIRD_PARTY_LICENSES.txt").read_text()
    for package in ("regl-scatterplot", "regl ", "fflate", "pub-sub-es", "gl-matrix", "dom-2d-camera", "kdbush"):
        assert f"\n{package.strip()} " in notices
    lock = json.loads((Path(__file__).parents[2] / "explorer-ui" / "package-lock.json").read_text())
    shipped = [key for key, entry in lock["packages"].items() if key and not entry.get("dev")]
    built_in = {key.rpartition("node_modules/")[2] for key in shipped}
    assert all(f"\n{package} " in notices for package in built_in)
    addresses = re.findall(r'"resolved": "(.*?)"', json.dumps(lock))
    assert all(address.startswith("https://registry.npmjs.org/") for address in addresses)


def surveyed(adata, numbers):
    """Note findings along these points as `sp.tl.survives` does: one of each call, and a cluster that splits."""
    found = [("markers", "A", "GENE1", "robust", 2.0), ("markers", "A", "GENE2", "fragile", -3.0)]
    found += [("abundance", "B", "", "only beyond the alarm", 0.5)]
    called = {
        "GENE1": [1] * len(numbers),
        "GENE2": [1, 0] + [0] * (len(numbers) - 2),
        "": [0] * (len(numbers) - 1) + [1],
    }
    by_point = [
        {"point": number, "kind": kind, "group": group, "gene": gene, "called": bool(called[gene][i])}
        for kind, group, gene, _, _ in found
        for i, number in enumerate(numbers)
        if (gene, i) != ("GENE2", 1)  # the group is missing there
    ]
    fates = ["same"] * (len(numbers) - 1) + ["split"]
    record = {
        "findings": pd.DataFrame(found, columns=["kind", "group", "gene", "call", "effect"]),
        "findings_by_point": pd.DataFrame(by_point),
        "clusters": pd.DataFrame({"cluster": ["0"], "call": ["fragile"], "jaccard": [0.8]}),
        "clusters_by_point": pd.DataFrame({"cluster": 0, "point": [*numbers, -1], "fate": [*fates, "same"]}),
        "points": pd.DataFrame({"point": numbers}),
        "sentence": "Of 2 markers 1 is robust.",
    }
    adata.uns["scpareto"] = {**adata.uns.get("scpareto", {}), "survives": record}
    adata.obs["survives_cluster"] = "0"


def test_findings_are_listed_with_where_they_hold(adata, model, embeddings, tmp_path):
    numbers = list(model.front.numbers)
    surveyed(adata, numbers)
    header, *_ = read(written(adata, model, tmp_path, embeddings=embeddings))
    assert header["colorings"][-1]["name"] == "survives_cluster"
    found = header["findings"]
    assert found["sentence"] == "Of 2 markers 1 is robust."
    at = {(row["kind"], row["group"], row["gene"]): row["at"] for row in found["rows"]}
    n = len(numbers)
    assert at["clusters", "0", ""] == [1] * (n - 1) + [0]
    assert at["markers", "A", "GENE1"] == [1] * n
    assert at["markers", "A", "GENE2"] == [1, None] + [0] * (n - 2)
    assert at["abundance", "B", ""] == [0] * (n - 1) + [1]
    assert [row["effect"] for row in found["rows"]] == [0.8, -3.0, 2.0, 0.5], "of a kind the largest effects first"
    some = [numbers[0], numbers[-1]]
    few = {point: embeddings[point] for point in some}
    header, *_ = read(written(adata, model, tmp_path, points=some, embeddings=few))
    assert header["findings"]["rows"][0]["at"] == [1, 0]


def test_findings_of_another_front_are_left_out(adata, model, embeddings, tmp_path):
    surveyed(adata, [7, 8])
    header, *_ = read(written(adata, model, tmp_path, embeddings=embeddings))
    assert "findings" not in header
