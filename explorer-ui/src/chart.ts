import { h, number, s } from "./dom";
import { bridged, type Header, type Metric, type Place } from "./payload";

const WIDTH = 340;
const HEIGHT = 256;
const MARGIN = { left: 44, right: 14, top: 32, bottom: 40 };

/** The front in its plane: all points, which are recommended and selected, where the alarm rings, and where we are. */
export class Chart {
  readonly element: HTMLElement;
  private readonly way: ([number, number] | null)[];
  private readonly here: SVGCircleElement;
  private readonly dots: (SVGElement | null)[];

  constructor(header: Header, chosen: (point: number) => void) {
    const { x, y, kept } = header.plane;
    const xs = x === null ? null : header.metrics[x];
    const ys = y === null ? null : header.metrics[y];
    this.here = s("circle", { r: 6.5, class: "sp-here" });
    if (!xs || !ys || !kept.some(Boolean)) {
      this.way = header.points.map(() => null);
      this.dots = [];
      this.element = h("p", { class: "sp-note" }, "No point has both measures of the plane.");
      return;
    }
    const across = axis([...xs.values, ...(xs.low ?? []), ...(xs.high ?? [])], MARGIN.left, WIDTH - MARGIN.right);
    const up = axis([...ys.values, ...(ys.low ?? []), ...(ys.high ?? [])], HEIGHT - MARGIN.bottom, MARGIN.top);
    const [bx, by] = [bridged(xs.values, header.points), bridged(ys.values, header.points)];
    this.way = header.points.map((_, i) => {
      const [vx, vy] = [bx[i], by[i]];
      return vx === null || vy === null ? null : [across.at(vx), up.at(vy)];
    });
    const spots = this.way.map((spot, i) => (header.points[i].judged ? spot : null));

    const frame = s("g", { class: "sp-axes", "aria-hidden": "true" });
    for (const tick of across.ticks) {
      const at = across.at(tick);
      frame.append(
        s("line", { x1: at, x2: at, y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }),
        s("text", { x: at, y: HEIGHT - MARGIN.bottom + 15, "text-anchor": "middle" }, across.write(tick)),
      );
    }
    for (const tick of up.ticks) {
      const at = up.at(tick);
      frame.append(
        s("line", { x1: MARGIN.left, x2: WIDTH - MARGIN.right, y1: at, y2: at }),
        s("text", { x: MARGIN.left - 7, y: at + 3.5, "text-anchor": "end" }, up.write(tick)),
      );
    }
    frame.append(
      s("text", { class: "sp-axis-title", x: 0, y: 14 }, `${ys.title}  better ${ys.higher ? "↑" : "↓"}`),
      s(
        "text",
        { class: "sp-axis-title", x: WIDTH - MARGIN.right, y: HEIGHT - 5, "text-anchor": "end" },
        `${xs.title}  better ${xs.higher ? "→" : "←"}`,
      ),
    );

    const whiskers = s("g", { class: "sp-whiskers", "aria-hidden": "true" });
    spots.forEach((spot, i) => {
      if (!spot) return;
      const wide = ends(xs.low?.[i], xs.high?.[i]);
      const tall = ends(ys.low?.[i], ys.high?.[i]);
      if (wide)
        whiskers.append(s("line", { x1: across.at(wide[0]), x2: across.at(wide[1]), y1: spot[1], y2: spot[1] }));
      if (tall) whiskers.append(s("line", { x1: spot[0], x2: spot[0], y1: up.at(tall[0]), y2: up.at(tall[1]) }));
    });

    const rings = (i: number): boolean => (header.alarm[i] ?? 0) >= header.alarm_from;
    const known = spots.filter((spot) => spot !== null);
    const path = s("polyline", { class: "sp-path", points: known.map((spot) => spot.join(",")).join(" ") });
    const dots = s("g", { class: "sp-dots" });
    this.dots = spots.map((spot, i) => {
      if (!spot) return null;
      const point = header.points[i];
      const dot = mark(spot, point.name);
      dot.classList.toggle("sp-dominated", !kept[i]);
      const spotGroup = s(
        "g",
        { class: "sp-dot" },
        s("circle", { cx: spot[0], cy: spot[1], r: 12, class: "sp-target" }),
        dot,
        s(
          "title",
          {},
          [`point ${point.number}`, point.name, kept[i] ? "" : "dominated", rings(i) ? "alarm rings" : ""]
            .filter(Boolean)
            .join(", "),
          ...[xs, ys].map((metric) => `\n${metric.title}: ${withInterval(metric, i).filter(Boolean).join(", ")}`),
        ),
      );
      if (rings(i)) spotGroup.append(cross(spot));
      spotGroup.addEventListener("click", () => chosen(i));
      dots.append(spotGroup);
      return spotGroup;
    });
    const names = s("g", { class: "sp-names", "aria-hidden": "true" });
    spots.forEach((spot, i) => {
      const name = header.points[i].name;
      if (!spot || !name) return;
      const left = spot[0] > WIDTH / 2;
      const above = spot[1] > MARGIN.top + 26;
      names.append(
        s(
          "text",
          { x: spot[0] + (left ? 4 : -4), y: spot[1] + (above ? -12 : 20), "text-anchor": left ? "end" : "start" },
          name,
        ),
      );
    });
    const svg = s(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        role: "img",
        "aria-label": `The front: ${xs.title} across, ${ys.title} upwards, ${known.length} points. The table lists them.`,
      },
      frame,
      whiskers,
      path,
      dots,
      marked("sp-recommended", header.recommended === null ? null : spots[header.recommended]),
      marked("sp-selected", spots[header.selected]),
      names,
      this.here,
    );
    const key: (Node | string)[] = [entry("sp-key-kept", "not dominated")];
    if (spots.some((spot, i) => spot && !kept[i])) key.push(entry("sp-key-dominated", "dominated"));
    if (header.recommended !== null) key.push(entry("sp-key-recommended", "recommended"));
    key.push(entry("sp-key-selected", "selected"));
    if (spots.some((spot, i) => spot && rings(i))) key.push(entry("sp-key-alarm", "alarm rings"));
    this.element = h("figure", { class: "sp-chart" }, svg, h("figcaption", { class: "sp-key" }, ...key));
  }

  /** Move the mark to a place between the points. */
  moveTo(place: number): void {
    const before = Math.max(0, Math.min(Math.floor(place), this.way.length - 1));
    const from = this.way[before];
    const to = this.way[Math.min(before + 1, this.way.length - 1)] ?? from;
    const start = from ?? to;
    this.here.toggleAttribute("hidden", !start || !to);
    if (!start || !to) return;
    const share = Math.min(Math.max(place - before, 0), 1);
    this.here.setAttribute("cx", String(start[0] + (to[0] - start[0]) * share));
    this.here.setAttribute("cy", String(start[1] + (to[1] - start[1]) * share));
  }

  /** Say which point is the present one. */
  mark(point: number): void {
    this.dots.forEach((dot, i) => dot?.classList.toggle("sp-present", i === point));
  }
}

/** The mark around the recommended or the selected point. */
function marked(kind: string, spot: [number, number] | null): SVGElement {
  const group = s("g", { class: kind, "aria-hidden": "true" });
  if (!spot) return group;
  const [x, y] = spot;
  group.append(
    kind === "sp-recommended"
      ? s("circle", { cx: x, cy: y, r: 8.5 })
      : s("rect", { x: x - 10, y: y - 10, width: 20, height: 20, rx: 1 }),
  );
  return group;
}

/** The cross through a point whose alarm rings. */
function cross([x, y]: [number, number]): SVGElement {
  return s("path", { class: "sp-cross", d: `M${x - 6} ${y - 6}l12 12M${x - 6} ${y + 6}l12 -12` });
}

function mark([x, y]: [number, number], name: string): SVGElement {
  if (name === "uncorrected") return s("rect", { x: x - 3.8, y: y - 3.8, width: 7.6, height: 7.6, rx: 1 });
  if (name)
    return s("rect", { x: x - 3.6, y: y - 3.6, width: 7.2, height: 7.2, rx: 1, transform: `rotate(45 ${x} ${y})` });
  return s("circle", { cx: x, cy: y, r: 4.2 });
}

function entry(kind: string, text: string): HTMLElement {
  return h("span", {}, h("i", { class: kind, "aria-hidden": "true" }), text);
}

function ends(low: number | null | undefined, high: number | null | undefined): [number, number] | null {
  return low == null || high == null ? null : [low, high];
}

interface Axis {
  at: (value: number) => number;
  ticks: number[];
  write: (value: number) => string;
}

/** A linear axis with a handful of round ticks. */
function axis(values: (number | null)[], start: number, end: number): Axis {
  const known = values.filter((value) => value !== null);
  let low = Math.min(...known);
  let high = Math.max(...known);
  const span = high - low || Math.abs(high) || 1;
  low -= 0.08 * span;
  high += 0.08 * span;
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) ticks.push(i * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0));
  return {
    at: (value) => start + ((value - low) / (high - low)) * (end - start),
    ticks,
    write: (value) => value.toFixed(digits).replace("-", "−"),
  };
}

/** A small line of one measure along the front, with a dot that can be moved. */
export function sparkline(
  values: (number | null)[],
  places: Place[],
): { element: SVGSVGElement; moveTo: (place: number) => void } {
  const [width, height, pad] = [84, 22, 4];
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known);
  const span = Math.max(...known) - low || 1;
  const last = Math.max(values.length - 1, 1);
  const spots = bridged(values, places).map((value, i): [number, number] | null =>
    value === null
      ? null
      : [pad + ((width - 2 * pad) * i) / last, height - pad - ((height - 2 * pad) * (value - low)) / span],
  );
  const dot = s("circle", { r: 2.8 });
  const line = s("polyline", {
    points: spots
      .filter((spot) => spot !== null)
      .map((spot) => spot.join(","))
      .join(" "),
  });
  const element = s("svg", { viewBox: `0 0 ${width} ${height}`, class: "sp-spark", "aria-hidden": "true" }, line, dot);
  const moveTo = (place: number): void => {
    const before = Math.max(0, Math.min(Math.floor(place), spots.length - 1));
    const from = spots[before];
    const to = spots[Math.min(before + 1, spots.length - 1)];
    const start = from ?? to;
    const end = to ?? from;
    dot.toggleAttribute("hidden", !start || !end);
    if (!start || !end) return;
    const share = Math.min(Math.max(place - before, 0), 1);
    dot.setAttribute("cx", String(start[0] + (end[0] - start[0]) * share));
    dot.setAttribute("cy", String(start[1] + (end[1] - start[1]) * share));
  };
  return { element, moveTo };
}

/** Write a value with its interval. */
export function withInterval(metric: Metric, point: number): [string, string] {
  const interval = ends(metric.low?.[point], metric.high?.[point]);
  const write = (value: number | null): string => number(value, metric.digits);
  return [write(metric.values[point]), interval ? interval.map(write).join(" to ") : ""];
}
