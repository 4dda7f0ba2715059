"""The exported page in a headless Chromium with the network off."""

from __future__ import annotations

import base64
import io
import json
import shutil
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from scpareto import pl
from scpareto.pl._explorer._page import static_file

pytestmark = pytest.mark.browser
# WebGL by the processor: tests have no graphics card
SOFTWARE_GL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist"]
NO_GL = ["--disable-gpu", "--disable-3d-apis"]


# a busy machine without a graphics card takes its time
PATIENCE = 120_000


@pytest.fixture(scope="module")
def browsers():
    """Start a browser with arguments, once."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    started = {}
    with api.sync_playwright() as running:

        def browser(arguments):
            if tuple(arguments) not in started:
                started[tuple(arguments)] = running.chromium.launch(
                    executable_path=chromium, args=["--no-sandbox", *arguments], timeout=PATIENCE
                )
            return started[tuple(arguments)]

        yield browser
        for one in started.values():
            one.close()


@pytest.fixture
def start(browsers):
    """Open an empty page in a window of its own, without a network."""
    contexts = []

    def launch(arguments, **settings):
        window = {"viewport": {"width": 1000, "height": 700}, "offline": True} | settings
        contexts.append(browsers(arguments).new_context(**window))
        page = contexts[-1].new_page()
        page.set_default_timeout(PATIENCE)
        page.problems, page.asked = [], []
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        return page

    yield launch
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def exported(cells, front_model, tmp_path_factory):
    adata = cells(300)
    rng = np.random.default_rng(0)
    base = rng.normal(size=(300, 2)) + 5.0 * np.eye(3)[np.arange(300) % 3][:, :2]
    embeddings = {point: base + [0.0, 1.5 * point] * (rng.random((300, 1)) < 0.5) for point in (0, 1, 3, 4)}
    path = tmp_path_factory.mktemp("page") / "front.html"
    color = ["batch", "cell_type", "n_counts"]
    numbers = [0, 1, 3, 4]
    adata.uns["scpareto"] = {
        "survives": {
            "findings": pd.DataFrame(
                {
                    "kind": "markers",
                    "group": "A",
                    "gene": ["GENE1", "GENE2"],
                    "call": ["robust", "fragile"],
                    "effect": 2.0,
                }
            ),
            "findings_by_point": pd.DataFrame(
                {
                    "kind": "markers",
                    "group": "A",
                    "gene": ["GENE1"] * 4 + ["GENE2"] * 3,
                    "point": [*numbers, *numbers[:3]],
                    "called": [True] * 4 + [True, True, False],
                }
            ),
            "clusters": pd.DataFrame({"cluster": ["0"], "call": ["robust"], "jaccard": [0.8]}),
            "clusters_by_point": pd.DataFrame({"cluster": 0, "point": numbers, "fate": "same"}),
            "points": pd.DataFrame({"point": numbers}),
            "sentence": "Of 2 markers 1 is robust.",
        }
    }
    return pl.explorer(adata, front_model(adata), path, color=color, genes=["GENE3"], embeddings=embeddings)


def opened(page, path, ready="cells"):
    page.goto(path.as_uri())
    page.wait_for_selector(f"[data-ready={ready}]")
    return page


def settled(page):
    """Wait until the cells have arrived where the slider stands; return their picture, shape `(height, width, 4)`.

    A frame of its own may clear and draw the canvas again (a new size, the camera), so that the picture counts once it
    shows cells and stays the same.
    """
    page.wait_for_function(
        """() => {
          const place = Number(document.querySelector("[data-place]").dataset.place);
          const busy = document.querySelector(".sp-stage").ariaBusy === "true";
          return !busy && place === Number(document.querySelector("[type=range]").value);
        }""",
        polling=100,
    )
    before, until = None, time.monotonic() + PATIENCE / 1000
    while time.monotonic() < until:
        encoded = page.evaluate("document.querySelector('.sp-stage canvas').toDataURL()").partition(",")[2]
        picture = plt.imread(io.BytesIO(base64.b64decode(encoded)), format="png")
        if encoded == before and picture[..., 3].any():
            return picture
        before = encoded
        page.wait_for_timeout(100)
    raise AssertionError("the picture is empty or does not come to rest")


def shown(page):
    """Return what is read about the point: heading, value of the leakage, line of code, words of the slider."""
    row = page.locator(".sp-metrics tr", has_text="leakage, posterior mean")
    return (
        page.locator(".sp-side h2").inner_text(),
        row.locator(".sp-value").inner_text(),
        page.locator(".sp-code code").inner_text(),
        page.get_by_role("slider").get_attribute("aria-valuetext"),
    )


def here(page):
    mark = page.locator(".sp-here")
    return float(mark.get_attribute("cx")), float(mark.get_attribute("cy"))


def test_findings_say_what_holds_at_the_point(start, exported):
    page = opened(start(SOFTWARE_GL), exported)
    listed = page.locator(".sp-findings")
    assert "Of 2 markers 1 is robust." in listed.inner_text()
    marks = listed.locator("details", has_text="Markers").locator(".sp-here-mark")
    seen = []
    page.get_by_role("slider").focus()
    for _ in range(3):
        seen.append((page.locator(".sp-side h2").inner_text(), marks.all_text_contents()))
        page.keyboard.press("ArrowRight")
    assert seen == [("Point 1", ["●", "●"]), ("Point 3", ["●", "○"]), ("Point 4", ["●", "–"])]
    assert page.problems == []


def test_the_slider_moves_cells_read_out_and_mark(start, exported, tmp_path):
    page = opened(start(SOFTWARE_GL), exported)
    before, place = settled(page), here(page)
    assert (before[..., 3] > 0).mean() > 0.002, "cells are drawn"
    assert shown(page) == ("Point 1", "0.300", "model.select(1)", "point 1, preference for MINE 0.3")
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    after = settled(page)
    assert shown(page) == ("Point 4", "0.050", "model.select(4)", "point 4, strongest, preference for MINE 1")
    assert page.locator(".sp-badge-alarm").inner_text() == "alarm rings"
    # half of the cells move: of the pixels that showed a cell, many show none or another one
    drawn = (before[..., 3] > 0) | (after[..., 3] > 0)
    assert (before != after).any(axis=2)[drawn].mean() > 0.3
    # towards less leakage and more loss: left and up
    assert here(page)[0] < place[0] - 10
    assert here(page)[1] < place[1] - 10
    assert page.get_by_role("button", name="Next point").is_disabled()
    page.wait_for_function("document.querySelector('[role=status]').textContent.startsWith('Point 4, strongest')")
    page.screenshot(path=tmp_path / "moved.png")
    assert (tmp_path / "moved.png").stat().st_size > 20_000
    # and back to the same picture
    page.get_by_role("button", name="Previous point").click(click_count=2)
    assert (settled(page) == before).all()
    assert page.problems == []
    assert [url for url in page.asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_cells_morph_on_the_way(start, exported):
    page = opened(start(SOFTWARE_GL), exported)
    settled(page)
    page.evaluate(
        """() => {
          window.places = [];
          const mark = document.querySelector(".sp-here");
          const note = () => window.places.push(Number(mark.getAttribute("cx")));
          new MutationObserver(note).observe(mark, { attributes: true });
        }"""
    )
    page.get_by_role("slider").press("ArrowLeft")
    settled(page)
    places = np.array(page.evaluate("window.places"))
    assert len(np.unique(places)) > 4
    assert (np.diff(places) >= 0).all(), "uncorrected lies to the right, and nothing overshoots"


def test_a_held_thumb_stops_between_points_and_snaps_when_let_go(start, exported):
    page = opened(start(SOFTWARE_GL), exported)
    first = settled(page)
    box = page.get_by_role("slider").bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 9 + (box["width"] - 18) / 3, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.55, y, steps=4)
    assert 1.4 < float(page.get_by_role("slider").input_value()) < 1.9
    between = settled(page)
    page.mouse.up()
    assert page.get_by_role("slider").input_value() == "2"
    assert shown(page)[0] == "Point 3"
    last = settled(page)
    assert not (between == first).all()
    assert not (between == last).all()


def test_between_the_points_cells_move_and_nothing_is_claimed(start, cells, front_model, tmp_path):
    adata = cells(200)
    model = front_model(adata)
    model.front.path = object()
    base = np.random.default_rng(0).normal(size=(200, 2))
    embeddings = {place: base + [0.0, shift] for place, shift in {0: 0, 0.15: 1, 1: 2, 3: 3, 0.85: 4, 4: 5}.items()}
    path = pl.explorer(adata, model, tmp_path / "dense.html", preferences=[0.15, 0.85], embeddings=embeddings)
    page = opened(start(SOFTWARE_GL), path)
    settled(page)
    at_point = here(page)
    page.get_by_role("slider").press("ArrowLeft")
    settled(page)
    words = "preference 0.15"
    assert shown(page) == ("Preference 0.15", "–", "model.select(preference=0.15)", words)
    assert page.locator(".sp-side .sp-badge").all_inner_texts() == ["not judged"]
    between = here(page)
    page.get_by_role("slider").press("ArrowLeft")
    settled(page)
    # Half way along the line from one point to the other.
    np.testing.assert_allclose(between, np.mean([here(page), at_point], axis=0), atol=0.5)
    ticks = page.locator(".sp-tick").all_inner_texts()
    assert ticks == ["0", "", "1", "3", "", "4"]
    assert page.locator(".sp-details .sp-table tbody tr").count() == 4
    assert page.problems == []


def test_less_motion_jumps(start, exported):
    page = opened(start(SOFTWARE_GL, reduced_motion="reduce"), exported)
    page.get_by_role("slider").press("End")
    at_once = here(page)
    settled(page)
    assert here(page) == at_once


def test_colours_and_legend(start, exported):
    page = opened(start(SOFTWARE_GL), exported)
    by_batch = settled(page)
    page.get_by_label("Colour by").select_option("cell_type")
    by_type = settled(page)
    assert (by_batch[..., 3] == by_type[..., 3]).mean() > 0.98, "the same cells in the same places"
    assert (by_batch[..., :3] != by_type[..., :3]).any(axis=2).sum() > 500
    chips = page.locator(".sp-chip")
    assert chips.all_inner_texts() == ["B", "NK", "T"]
    chips.nth(1).press("Enter")
    assert chips.nth(1).get_attribute("aria-pressed") == "true"
    assert chips.nth(1).evaluate("chip => chip === document.activeElement")
    assert (settled(page)[..., :3] != by_type[..., :3]).any(axis=2).sum() > 500
    page.get_by_label("Colour by").select_option("GENE3")
    assert "log(1 + counts per 10,000)" in page.locator(".sp-legend").inner_text()
    # pointing at a cell tells its values
    canvas = page.locator(".sp-stage canvas")
    drawn = settled(page)[..., 3] > 0
    row, column = np.argwhere(drawn)[len(np.argwhere(drawn)) // 2]
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + float(column), box["y"] + float(row))
    page.wait_for_selector(".sp-tip:not([hidden])")
    words = page.locator(".sp-tip").inner_text()
    assert all(name in words for name in ("GENE3", "batch", "cell_type"))


CONTRASTS = """() => {
  const parse = color => color.match(/[\\d.]+/g).map(Number);
  const light = rgb => rgb.slice(0, 3).map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    const color = parse(getComputedStyle(element).backgroundColor);
    return color[3] === 0 && element.parentElement ? ground(element.parentElement) : color;
  };
  const texts = "h1, h2, .sp-note, .sp-preference, .sp-badge, .sp-metrics th, .sp-value, .sp-interval, " +
    ".sp-chip, .sp-tick, .sp-code code, .sp-key span, .sp-bar label, summary, .sp-button:not(:disabled)";
  return [...document.querySelectorAll(texts)].filter(e => e.checkVisibility()).map(element => {
    const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
    return [element.className || element.tagName, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
}"""


def test_every_width_and_theme_is_legible(start, exported):
    page = opened(start(SOFTWARE_GL), exported)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (700, 900, 1300):
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_selector(f"[data-theme={scheme}]")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            contrasts = page.evaluate(CONTRASTS)
            assert len(contrasts) > 20
            assert [entry for entry in contrasts if entry[1] < 4.5] == [], (scheme, width)


def test_without_webgl_panels_stand_in_and_the_rest_works(start, exported):
    page = opened(start(NO_GL), exported, ready="static")
    panels = page.locator(".sp-stage img")
    assert panels.evaluate("image => image.complete && image.naturalWidth > 300")
    assert page.locator(".sp-stage canvas").count() == 0
    page.get_by_role("slider").press("End")
    assert shown(page)[::2] == ("Point 4", "model.select(4)")
    assert page.problems == []


def test_on_paper_and_without_scripts_panels_and_table_are_shown(start, exported):
    page = opened(start(SOFTWARE_GL), exported)
    assert not page.locator(".sp-static").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".sp-static img").first.is_visible()
    assert page.locator(".sp-static tbody tr").count() == 4
    assert not page.locator(".sp-stage").is_visible()
    silent = start(SOFTWARE_GL, java_script_enabled=False)
    silent.goto(exported.as_uri())
    assert silent.locator(".sp-static img").first.is_visible()
    assert silent.locator(".sp-static table").is_visible()


def test_the_widget_tells_and_follows_the_point(start, cells, front_model, exported, tmp_path):
    """The same bundle, called as a notebook calls it."""
    pytest.importorskip("anywidget")
    adata = cells(60)
    embeddings = {point: np.random.default_rng(point).normal(size=(60, 2)) for point in (0, 1, 3, 4)}
    widget = pl.explorer(adata, front_model(adata), path=None, embeddings=embeddings)
    state = {"header": widget.header, "pictures": widget.pictures, "point": widget.point}
    source, state = (json.dumps(part).replace("<", "\\u003c") for part in (static_file("explorer.js"), state))
    (tmp_path / "widget.html").write_text(
        f"<body><div id=cell></div><style>{static_file('explorer.css')}</style>"
        f"<script>window.state = {state};"
        f"window.data64 = '{base64.b64encode(widget.data).decode()}';</script>"
        f"<script>window.source = {source};</script></body>",
        encoding="utf-8",
    )
    page = start(SOFTWARE_GL)
    page.goto((tmp_path / "widget.html").as_uri())
    page.evaluate(
        """async () => {
          const url = URL.createObjectURL(new Blob([window.source], { type: "text/javascript" }));
          const { default: widget } = await import(url);
          const bytes = Uint8Array.from(atob(window.data64), c => c.charCodeAt(0));
          const state = { ...window.state, data: new DataView(bytes.buffer) };
          const listeners = {};
          window.model = {
            get: name => state[name],
            set: (name, value) => { state[name] = value; listeners[`change:${name}`]?.(); },
            on: (event, callback) => { listeners[event] = callback; },
            off: event => { delete listeners[event]; },
            save_changes: () => { window.saved = state.point; },
          };
          window.close_widget = widget.render({ model: window.model, el: document.getElementById("cell") });
        }"""
    )
    page.wait_for_selector("[data-ready=cells]")
    page.get_by_role("slider").press("ArrowRight")
    assert page.evaluate("window.saved") == 3
    page.evaluate("window.model.set('point', 0)")
    assert shown(page)[0] == "Point 0"
    page.evaluate("window.close_widget()")
    assert page.locator("#cell").inner_html() == ""
    assert page.problems == []


def test_the_picture_marks_points_and_tells_their_values(start, cells, front_model, judged_front, tmp_path):
    adata = cells(100)
    model = front_model(adata, selected=2)
    model.front = judged_front()
    embeddings = {point: np.random.default_rng(point).normal(size=(100, 2)) for point in range(6)}
    path = pl.explorer(adata, model, tmp_path / "judged.html", embeddings=embeddings)
    page = opened(start(NO_GL), path, ready="static")
    assert page.locator(".sp-axis-title").all_text_contents() == [
        "structure kept (%)  better ↑",
        "batch left (%)  better ←",
    ]
    titles = page.locator(".sp-dot title").all_text_contents()
    assert titles[4] == "point 4\nbatch left (%): 1.5, 0.5 to 2.5\nstructure kept (%): 95.0, 93.0 to 97.0"
    assert "alarm rings" in titles[5]
    assert page.locator(".sp-cross").count() == 1
    assert page.locator(".sp-recommended circle").count() == page.locator(".sp-selected rect").count() == 1
    slider = page.get_by_role("slider")
    slider.press("End")
    slider.press("ArrowLeft")
    assert "2 % of the batch left" in slider.get_attribute("aria-valuetext")
    assert page.locator(".sp-badge-recommended").inner_text() == "recommended"
    assert page.problems == []
