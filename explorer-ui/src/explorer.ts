import { canDrawCells, CellView } from "./cells";
import { Chart } from "./chart";
import { h, number } from "./dom";
import { Findings } from "./findings";
import { Legend, valueOf } from "./legend";
import { Morph, wantsLessMotion } from "./morph";
import { bridged, type Cells, type Header, unpack } from "./payload";
import { Readout } from "./readout";
import { Slider } from "./slider";
import { currentTheme, onThemeChange, type Theme } from "./theme";

export interface Source {
  header: Header;
  data: Uint8Array;
  /** Address of the static panels, shown where the cells cannot be drawn. */
  panels: string | undefined;
  /** Place of the point to begin with. */
  start: number;
}

export interface Handle {
  /** Go to a point, by its place in the list. */
  go(place: number): void;
  destroy(): void;
}

/** Build the view into an element; `arrived` is told the place of each point that is shown. */
export function mount(root: HTMLElement, source: Source, arrived: (place: number) => void = () => {}): Handle {
  const { start } = source;
  const { alarm, points } = source.header;
  const header = { ...source.header, alarm: bridged(alarm, points) };
  const stage = h("div", { class: "sp-stage" });
  const tip = h("div", { class: "sp-tip", "aria-hidden": "true", hidden: true });
  const readout = new Readout(header);
  const findings = new Findings(header);
  const chart = new Chart(header, (place) => slider.go(place));
  let view: CellView | null = null;
  let cells: Cells | null = null;
  let theme: Theme = currentTheme();
  let coloring = 0;
  let focus: ReadonlySet<number> = new Set();
  let shown = -1;

  const morph = new Morph(start, async (place) => {
    chart.moveTo(place);
    readout.moveTo(place);
    await drawn(view?.moveTo(place));
    root.dataset.place = String(place);
  });
  const slider = new Slider(
    header,
    start,
    () => view !== null && !wantsLessMotion(),
    (place, held) => {
      show(Math.round(place), true);
      morph.go(place, wantsLessMotion() ? "at once" : held ? "quick" : "gentle");
      tip.hidden = true;
    },
  );

  let pending = 0;
  /** Say that the picture is behind until it is drawn. */
  async function drawn(picture: Promise<void> | undefined): Promise<void> {
    stage.ariaBusy = String(++pending > 0);
    await picture;
    stage.ariaBusy = String(--pending > 0);
  }

  function show(point: number, aloud: boolean): void {
    if (point === shown) return;
    shown = point;
    readout.show(point, aloud);
    findings.show(point);
    chart.mark(point);
    arrived(point);
  }

  const legend = new Legend((next) => {
    focus = next;
    paint();
  });
  function paint(): void {
    root.dataset.theme = theme;
    tip.hidden = true;
    if (!cells) return;
    legend.show(cells.colorings[coloring], theme, focus);
    void drawn(view?.color(cells.colorings[coloring], theme, focus));
  }

  const select = h("select", { id: `sp-color-${Math.random().toString(36).slice(2)}` });
  for (const [label, genes] of [
    ["Cells", false],
    ["Genes", true],
  ] as const) {
    const options = header.colorings.flatMap((facts, i) =>
      (facts.kind === "gene") === genes ? [h("option", { value: i }, facts.name)] : [],
    );
    if (options.length) select.append(h("optgroup", { label }, ...options));
  }
  select.addEventListener("change", () => {
    coloring = Number(select.value);
    focus = new Set();
    paint();
  });
  coloring = Number(select.value);
  const reset = h("button", { type: "button", class: "sp-button" }, "Whole view");
  reset.addEventListener("click", () => view?.fit());

  const canvas = h("canvas", {
    role: "img",
    "aria-label": `Embedding of ${header.n_cells.toLocaleString("en")} cells. It changes with the point; drag to move, turn the wheel to zoom.`,
  });
  const bar = h("div", { class: "sp-bar" }, h("label", { for: select.id }, "Colour by"), select, legend.element, reset);
  const table = h("details", { class: "sp-details" }, h("summary", {}, "All points as a table"), allPoints(header));
  const element = h(
    "div",
    { class: "sp-root" },
    h("header", { class: "sp-head" }, h("h1", {}, header.title), h("p", { class: "sp-note" }, header.note)),
    h("section", { class: "sp-main", "aria-label": "Cells" }, bar, stage, slider.element),
    h(
      "aside",
      { class: "sp-side", "aria-label": "This point" },
      readout.heading,
      readout.code,
      chart.element,
      readout.metrics,
      findings.element,
      table,
    ),
    readout.live,
  );
  root.append(element);
  root.classList.add("sp-explorer", "sp-live");

  if (canDrawCells()) {
    stage.append(canvas, tip);
    cells = unpack(header, source.data);
    try {
      view = new CellView(canvas, cells, (cell, at) => point(cell, at));
    } catch {
      view = null;
    }
  }
  if (!view) {
    stage.replaceChildren(
      h(
        "p",
        { class: "sp-note sp-apology" },
        "This browser cannot draw with WebGL, so cells are shown at a few points only. The rest works.",
      ),
    );
    if (source.panels) stage.append(h("img", { src: source.panels, alt: "Cells at points along the front" }));
    stage.classList.add("sp-stage-static");
    bar.hidden = true;
  }

  function point(cell: number | null, [x, y]: [number, number]): void {
    tip.hidden = cell === null || !cells;
    if (cell === null || !cells) return;
    const chosen = cells.colorings[coloring];
    const listed = cells.colorings.filter((other) => other.kind !== "gene" && other !== chosen).slice(0, 4);
    tip.replaceChildren(
      ...[chosen, ...listed].map((one) => h("div", {}, h("span", {}, one.name), h("b", {}, valueOf(one, cell)))),
    );
    tip.classList.toggle("sp-tip-left", x > stage.clientWidth / 2);
    tip.style.translate = `${x}px ${y}px`;
  }

  const unfollow = onThemeChange(() => {
    theme = currentTheme();
    paint();
  });
  show(start, false);
  morph.go(start, "at once");
  paint();
  if (view) view.moveTo(start).then(() => (root.dataset.ready = "cells"));
  else root.dataset.ready = "static";

  return {
    go: (place) => {
      if (place !== shown) slider.go(place);
    },
    destroy: () => {
      unfollow();
      slider.stop();
      morph.stop();
      readout.destroy();
      view?.destroy();
      element.remove();
    },
  };
}

function allPoints(header: Header): HTMLElement {
  const titles = header.metrics.map((metric) => h("th", { scope: "col" }, metric.title));
  const rows = header.points.flatMap((point, i) =>
    point.judged
      ? [
          h(
            "tr",
            {},
            h("th", { scope: "row" }, `${point.number} ${point.name}`),
            ...header.metrics.map((metric) => h("td", {}, number(metric.values[i], metric.digits))),
          ),
        ]
      : [],
  );
  return h(
    "div",
    { class: "sp-scroll", tabindex: 0, role: "region", "aria-label": "All points" },
    h(
      "table",
      { class: "sp-table" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "point"), ...titles)),
      h("tbody", {}, ...rows),
    ),
  );
}
