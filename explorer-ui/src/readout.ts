import { sparkline, withInterval } from "./chart";
import { h, number } from "./dom";
import { type Header, titleOf, wordsOf } from "./payload";

/** The present point in words and numbers. */
export class Readout {
  readonly heading: HTMLElement;
  readonly metrics: HTMLElement;
  readonly code: HTMLElement;
  /** What a screen reader says when the point has changed. */
  readonly live = h("p", { class: "sp-unseen", role: "status", "aria-live": "polite" });
  private readonly title = h("h2", {});
  private readonly preference = h("p", { class: "sp-preference" });
  private readonly badges = h("div", { class: "sp-badges" });
  private readonly line = h("code", {});
  private readonly values: { value: HTMLElement; interval: HTMLElement; moveTo: (place: number) => void }[];
  private speaking = 0;

  constructor(private readonly header: Header) {
    this.heading = h(
      "header",
      { class: "sp-point" },
      h("div", { class: "sp-point-line" }, this.title, this.preference),
      this.badges,
    );
    const body = h("tbody");
    this.values = header.metrics.map((metric) => {
      const spark = sparkline(metric.values, header.points);
      const value = h("span", { class: "sp-value" });
      const interval = h("span", { class: "sp-interval" });
      body.append(
        h(
          "tr",
          {},
          h(
            "th",
            { scope: "row" },
            metric.title,
            ...(metric.key === "alarm" ? [] : [h("small", {}, ` better ${metric.higher ? "↑" : "↓"}`)]),
          ),
          h("td", { class: "sp-spark-cell" }, spark.element),
          h("td", {}, value, interval),
        ),
      );
      return { value, interval, moveTo: spark.moveTo };
    });
    this.metrics = h("table", { class: "sp-metrics", "aria-label": "Measures of this point" }, body);
    const copy = h("button", { type: "button", class: "sp-button sp-copy" }, "Copy");
    copy.addEventListener("click", () => void this.copy(copy));
    this.code = h("div", { class: "sp-code" }, this.line, copy);
  }

  /** Write a point. */
  show(point: number, aloud: boolean): void {
    const { points, selected, recommended, plane, alarm, metrics } = this.header;
    const { number: label, judged, line } = points[point];
    const words = wordsOf(points[point]);
    const title = titleOf(points[point]);
    this.title.textContent = title;
    this.preference.textContent = words.join(" · ") || "\u00a0";
    const badges: HTMLElement[] = [];
    if (point === recommended) badges.push(h("span", { class: "sp-badge sp-badge-recommended" }, "recommended"));
    if (point === selected) badges.push(h("span", { class: "sp-badge sp-badge-chosen" }, "selected"));
    if (!judged) badges.push(h("span", { class: "sp-badge" }, "not judged"));
    else if (plane.x !== null)
      badges.push(h("span", { class: "sp-badge" }, plane.kept[point] ? "not dominated" : "dominated"));
    const warning = judged && (alarm[point] ?? 0) >= this.header.alarm_from;
    if (warning) badges.push(h("span", { class: "sp-badge sp-badge-alarm" }, "alarm rings"));
    this.badges.replaceChildren(...badges);
    metrics.forEach((metric, i) => {
      const [value, interval] = withInterval(metric, point);
      this.values[i].value.textContent = value;
      this.values[i].interval.textContent = interval;
    });
    this.line.textContent = line ?? `model.select(${judged ? label : `preference=${label}`})`;
    if (!aloud) return;
    // one sentence once the reader has stopped, not one for each step
    clearTimeout(this.speaking);
    this.speaking = window.setTimeout(() => {
      const values = metrics.map((metric) => `${metric.title} ${number(metric.values[point], metric.digits)}`);
      const state = [title, ...words, ...badges.map((badge) => badge.textContent ?? "")].filter(Boolean);
      this.live.textContent = `${state.join(", ")}. ${values.join("; ")}.`;
    }, 500);
  }

  /** Move the dots of the small lines. */
  moveTo(place: number): void {
    for (const { moveTo } of this.values) moveTo(place);
  }

  destroy(): void {
    clearTimeout(this.speaking);
  }

  private async copy(button: HTMLButtonElement): Promise<void> {
    const text = this.line.textContent ?? "";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // pages opened from disk may not reach the clipboard: select the line, so that the keyboard can copy it
      const range = document.createRange();
      range.selectNodeContents(this.line);
      getSelection()?.removeAllRanges();
      getSelection()?.addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  }
}
