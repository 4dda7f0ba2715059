import { h } from "./dom";
import { type Header, titleOf, wordsOf } from "./payload";

/** The way along the front: a slider, a step to either side, and a walk from end to end. */
export class Slider {
  readonly element: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly back: HTMLButtonElement;
  private readonly on: HTMLButtonElement;
  private readonly play: HTMLButtonElement;
  private readonly ticks: HTMLElement[];
  private readonly last: number;
  private timer = 0;
  private point: number;

  /**
   * @param start place of the first point shown
   * @param fluent whether the cells may lie between two points while the thumb is held
   * @param moved called with a place; `held` while the thumb is held
   */
  constructor(
    private readonly header: Header,
    start: number,
    fluent: () => boolean,
    private readonly moved: (place: number, held: boolean) => void,
  ) {
    this.point = start;
    this.last = header.points.length - 1;
    this.input = h("input", { type: "range", min: 0, max: this.last, step: 1, "aria-label": "Point along the front" });
    this.back = arrow("Previous point", "M10 3 5 8l5 5");
    this.on = arrow("Next point", "M6 3l5 5-5 5");
    this.play = h("button", { type: "button", class: "sp-button sp-play" });
    this.ticks = header.points.map((point, i) => {
      const alarm = point.judged && (header.alarm[i] ?? 0) >= header.alarm_from;
      const tick = h(
        "span",
        { class: alarm ? "sp-tick sp-tick-alarm" : "sp-tick" },
        point.judged ? String(point.number) : "",
      );
      tick.style.setProperty("--share", String(this.last ? i / this.last : 0.5));
      return tick;
    });
    const crowded = header.points.filter((point) => point.judged).length > 24;
    this.element = h(
      "div",
      { class: "sp-slider" },
      this.play,
      this.back,
      h(
        "div",
        { class: "sp-track" },
        h("div", { class: "sp-rail", "aria-hidden": "true", style: rail(header.alarm) }),
        this.input,
        h("div", { class: crowded ? "sp-ticks sp-crowded" : "sp-ticks", "aria-hidden": "true" }, ...this.ticks),
      ),
      this.on,
    );

    // The keyboard and assistive technology go from point to point; a hand may stop between two.
    this.input.addEventListener("pointerdown", () => {
      this.stop();
      if (fluent()) this.input.step = "0.01";
    });
    const released = (): void => {
      if (this.input.step === "1") return;
      const place = Math.round(Number(this.input.value));
      this.input.step = "1";
      this.go(place);
    };
    this.input.addEventListener("input", () => {
      const place = Number(this.input.value);
      if (this.input.step === "1") this.go(place);
      else {
        this.write(Math.round(place));
        this.moved(place, true);
      }
    });
    for (const event of ["change", "pointerup", "pointercancel"]) this.input.addEventListener(event, released);
    this.input.addEventListener("keydown", () => this.stop());
    this.back.addEventListener("click", () => this.step(-1));
    this.on.addEventListener("click", () => this.step(1));
    this.play.addEventListener("click", () => (this.timer ? this.stop() : this.start()));
    this.ticks.forEach((tick, i) => tick.addEventListener("click", () => this.step(i - this.point)));
    this.stop();
    this.input.value = String(this.point);
    this.write(this.point);
  }

  /** Go to a point. */
  go(point: number): void {
    const place = Math.min(Math.max(point, 0), this.last);
    this.input.value = String(place);
    this.write(place);
    this.moved(place, false);
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.replaceChildren(icon("M5 3l8 5-8 5z"), "Play");
    this.play.setAttribute("aria-label", "Play: walk along the front");
  }

  private step(by: number): void {
    this.stop();
    this.go(this.point + by);
  }

  private start(): void {
    if (this.point === this.last) this.go(0);
    // Places between the points come on top: the walk takes as long.
    const judged = this.header.points.filter((point) => point.judged).length;
    const pause = Math.max(200, (1300 * judged) / this.header.points.length);
    this.timer = window.setInterval(() => {
      if (this.point >= this.last) this.stop();
      else this.go(this.point + 1);
    }, pause);
    this.play.replaceChildren(icon("M4 3h3v10H4zM9 3h3v10H9z"), "Pause");
    this.play.setAttribute("aria-label", "Pause");
  }

  private write(point: number): void {
    this.point = point;
    const here = this.header.points[point];
    const words = [titleOf(here).toLowerCase(), ...wordsOf(here)].join(", ");
    this.input.setAttribute("aria-valuetext", words);
    this.input.style.setProperty("--share", String(this.last ? Number(this.input.value) / this.last : 0.5));
    this.back.disabled = point === 0;
    this.on.disabled = point === this.last;
    this.ticks.forEach((tick, i) => tick.classList.toggle("sp-present", i === point));
  }
}

/** Colours of the rail: as strong as the alarm. */
function rail(alarm: (number | null)[]): string | null {
  if (alarm.length < 2) return null;
  const stops = alarm.map(
    (value) => `color-mix(in srgb, var(--alarm) ${(100 * (value ?? 0)).toFixed(1)}%, var(--rail))`,
  );
  return `background: linear-gradient(to right, ${stops.join(", ")})`;
}

function icon(path: string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.innerHTML = `<path d="${path}"/>`;
  return svg;
}

function arrow(label: string, path: string): HTMLButtonElement {
  const button = h("button", { type: "button", class: "sp-button sp-arrow", "aria-label": label, title: label });
  button.append(icon(path));
  return button;
}
