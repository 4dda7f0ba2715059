import { h, number } from "./dom";
import { type Coloring, MISSING } from "./payload";
import { categoryColor, QUIET, scaleColor, type Theme } from "./theme";

/** What the colours mean; categories can be brought forward. */
export class Legend {
  readonly element = h("div", { class: "sp-legend" });

  constructor(private readonly focused: (focus: ReadonlySet<number>) => void) {}

  show(coloring: Coloring, theme: Theme, focus: ReadonlySet<number>): void {
    const missing = coloring.codes.includes(MISSING);
    const nothing = missing ? [h("span", { class: "sp-missing" }, swatch(QUIET[theme]), "no value")] : [];
    if (coloring.kind === "categories") {
      const held = document.activeElement?.getAttribute("data-code");
      const buttons = coloring.categories.map((name, code) => {
        const chip = h(
          "button",
          {
            type: "button",
            class: "sp-chip",
            "aria-pressed": String(focus.has(code)),
            "data-code": code,
            title: `bring ${name} forward`,
          },
          swatch(categoryColor(coloring.colors[code], theme)),
          name,
        );
        chip.addEventListener("click", () => {
          const next = new Set(focus);
          if (!next.delete(code)) next.add(code);
          this.focused(next);
        });
        return chip;
      });
      this.element.setAttribute("role", "group");
      this.element.setAttribute("aria-label", `Categories of ${coloring.name}; press to bring cells forward`);
      this.element.classList.toggle("sp-focusing", focus.size > 0);
      this.element.replaceChildren(...buttons, ...nothing);
      if (held !== null && held !== undefined) buttons[Number(held)]?.focus();
      return;
    }
    const stops = Array.from({ length: 17 }, (_, i) => scaleColor(i / 16, theme));
    const what = coloring.kind === "gene" ? "log(1 + counts per 10,000)" : "1st to 99th percentile";
    this.element.removeAttribute("role");
    this.element.removeAttribute("aria-label");
    this.element.classList.remove("sp-focusing");
    this.element.replaceChildren(
      h(
        "span",
        { class: "sp-scale" },
        ...(coloring.kind === "gene" ? [h("b", { "aria-hidden": "true", style: `background: ${QUIET[theme]}` })] : []),
        h("span", {}, coloring.kind === "gene" ? "0" : write(coloring, coloring.low)),
        h("i", { "aria-hidden": "true", style: `background: linear-gradient(to right, ${stops.join(",")})` }),
        h("span", {}, write(coloring, coloring.high)),
        h("small", {}, what),
      ),
      ...nothing,
    );
  }
}

/** The value of one cell, in words. */
export function valueOf(coloring: Coloring, cell: number): string {
  const code = coloring.codes[cell];
  if (code === MISSING) return "no value";
  if (coloring.kind === "categories") return coloring.categories[code];
  return write(coloring, coloring.low + (code / 254) * (coloring.high - coloring.low));
}

function write(coloring: Coloring, value: number): string {
  const span = coloring.high - coloring.low || 1;
  return number(value, Math.min(Math.max(2 - Math.floor(Math.log10(span)), 0), 4));
}

function swatch(color: string): HTMLElement {
  return h("i", { "aria-hidden": "true", style: `background: ${color}` });
}
