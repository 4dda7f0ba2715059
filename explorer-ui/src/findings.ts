import { h, number } from "./dom";
import { type Finding, type Header } from "./payload";

const NAMES: Record<string, string> = {
  clusters: "Clusters",
  markers: "Markers",
  expression: "Differences in expression",
  abundance: "Shifts in abundance",
};
const SYMBOLS = new Map<number | null, [string, string]>([
  [1, ["●", "found"]],
  [0, ["○", "not found"]],
  [null, ["–", "not looked at"]],
]);

/** What was found along the front, and what of it is found at the present point. */
export class Findings {
  readonly element: HTMLElement;
  private readonly counts: { kind: string; rows: Finding[]; cell: HTMLElement }[] = [];
  private readonly marks: { row: Finding; cell: HTMLElement }[] = [];

  constructor(private readonly header: Header) {
    const { sentence, rows } = header.findings ?? { sentence: "", rows: [] };
    const kinds = [...new Set(rows.map(({ kind }) => kind))];
    const parts = kinds.map((kind) =>
      this.part(
        kind,
        rows.filter((row) => row.kind === kind),
      ),
    );
    this.element = h(
      "section",
      { class: "sp-findings", "aria-label": "Findings", hidden: rows.length === 0 },
      h("h3", {}, "Findings along the front"),
      h("p", { class: "sp-note" }, sentence),
      ...parts,
    );
  }

  /** Mark what is found at a point. */
  show(place: number): void {
    for (const { row, cell } of this.marks) {
      const [symbol, words] = SYMBOLS.get(row.at[place] ?? null) ?? ["–", "not looked at"];
      cell.textContent = symbol;
      cell.setAttribute("aria-label", words);
      cell.title = words;
    }
    for (const { rows, cell } of this.counts) {
      const found = rows.filter((row) => row.at[place] === 1).length;
      cell.textContent = this.header.points[place].judged ? `${found} of ${rows.length} here` : "";
    }
  }

  private part(kind: string, rows: Finding[]): HTMLElement {
    const count = h("span", { class: "sp-count" });
    this.counts.push({ kind, rows, cell: count });
    const body = rows.map((row) => {
      const here = h("td", { class: "sp-here-mark" });
      this.marks.push({ row, cell: here });
      return h(
        "tr",
        { class: row.call === "robust" ? "" : "sp-fragile" },
        h("th", { scope: "row" }, [row.group, row.gene].filter(Boolean).join(" · ")),
        h("td", {}, row.call),
        h("td", {}, number(row.effect, 2)),
        here,
      );
    });
    const effect =
      kind === "clusters" ? "Jaccard index" : kind === "abundance" ? "log2 odds ratio" : "log2 fold change";
    const head = ["", "along the front", effect, "here"].map((title) => h("th", { scope: "col" }, title));
    return h(
      "details",
      { class: "sp-details" },
      h("summary", {}, `${NAMES[kind] ?? kind} `, count),
      h(
        "div",
        { class: "sp-scroll", tabindex: 0, role: "region", "aria-label": NAMES[kind] ?? kind },
        h("table", { class: "sp-table" }, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...body)),
      ),
    );
  }
}
