import createScatterplot from "regl-scatterplot";
import { type Cells, type Coloring, MISSING } from "./payload";
import { CANVAS, categoryColor, QUIET, scaleColor, type Theme } from "./theme";

type Scatterplot = ReturnType<typeof createScatterplot>;

// Cells are drawn from, and into, textures of floating-point numbers.
const NEEDED = ["OES_texture_float", "WEBGL_color_buffer_float"];

/** Whether the browser can draw the cells. */
export function canDrawCells(): boolean {
  const context = document.createElement("canvas").getContext("webgl");
  const able = context !== null && NEEDED.every((name) => context.getExtension(name) !== null);
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return able;
}

/** The cells on a canvas, at any place between two points of the front. */
export class CellView {
  private readonly plot: Scatterplot;
  /** x, y and code of each cell; written in place, since new arrays for each frame would keep the memory busy. */
  private readonly rows: number[][];
  private drawing: Promise<void> = Promise.resolve();
  private waiting = false;
  private place = 0;
  private index: ArrayBuffer | undefined;
  private touched = false;
  private readonly observer: ResizeObserver;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly cells: Cells,
    hovered: (cell: number | null, at: [number, number]) => void,
  ) {
    const n = cells.positions[0].length / 2;
    this.rows = Array.from({ length: n }, () => [0, 0, 0]);
    this.plot = createScatterplot({
      canvas,
      width: "auto",
      height: "auto",
      colorBy: "valueA",
      pointSize: Math.min(5, Math.max(1.8, 220 / Math.sqrt(n))),
      pointOutlineWidth: 1.5,
      opacity: Math.min(0.85, Math.max(0.55, 0.5 + 16 / Math.sqrt(n))),
      lassoOnLongPress: false,
      actionKeyMap: {},
      deselectOnDblClick: false,
    } as Parameters<typeof createScatterplot>[0]);
    this.plot.subscribe("pointOver", (cell: number) => hovered(cell, this.plot.getScreenPosition(cell) ?? [0, 0]));
    this.plot.subscribe("pointOut", () => hovered(null, [0, 0]));
    // a click would select the cell, for which there is no use here
    this.plot.subscribe("select", () => this.plot.deselect({ preventEvent: true }));
    this.plot.subscribe("view", () => (this.touched = true));
    this.observer = new ResizeObserver(() => {
      if (!this.touched) this.fit();
    });
    this.observer.observe(canvas);
    this.fit();
  }

  /** Show all cells. */
  fit(): void {
    const { width, height } = this.canvas.getBoundingClientRect();
    const [x, y] = this.cells.half;
    const distance = 1.06 * Math.max(y, x / Math.max(width / Math.max(height, 1), 0.1));
    void this.plot.set({ cameraTarget: [0, 0], cameraDistance: distance, cameraRotation: 0 } as never);
    this.plot.redraw();
    // the camera announces its own movement in the next frame
    requestAnimationFrame(() => requestAnimationFrame(() => (this.touched = false)));
  }

  /** Colour the cells; categories that are not in `focus` step back, unless it is empty. */
  color(coloring: Coloring, theme: Theme, focus: ReadonlySet<number>): Promise<void> {
    const colors: string[] = [];
    for (let code = 0; code < 256; code++) {
      const aside = focus.size > 0 && !focus.has(code);
      if (code === MISSING || aside || isSilent(coloring, code)) colors.push(QUIET[theme]);
      else if (coloring.kind !== "categories") colors.push(scaleColor(code / 254, theme));
      else colors.push(code < coloring.colors.length ? categoryColor(coloring.colors[code], theme) : QUIET[theme]);
    }
    this.rows.forEach((row, i) => (row[2] = coloring.codes[i]));
    void this.plot.set({
      backgroundColor: CANVAS[theme],
      pointColor: colors,
      pointColorActive: theme === "dark" ? "#ffffff" : "#000000",
      pointColorHover: theme === "dark" ? "#ffffff" : "#000000",
      pointOrder: drawingOrder(coloring, focus),
    } as never);
    return this.moveTo(this.place);
  }

  /** Draw the cells at a place: 2.5 is half way between the third and the fourth point. */
  async moveTo(place: number): Promise<void> {
    this.place = place;
    if (this.waiting) return this.drawing;
    this.waiting = true;
    this.drawing = this.drawing.then(() => {
      this.waiting = false;
      return this.draw();
    });
    return this.drawing;
  }

  destroy(): void {
    this.observer.disconnect();
    this.plot.destroy();
  }

  private async draw(): Promise<void> {
    const last = this.cells.positions.length - 1;
    const before = Math.max(0, Math.min(Math.floor(this.place), last));
    const share = Math.min(Math.max(this.place - before, 0), 1);
    const from = this.cells.positions[before];
    const to = this.cells.positions[Math.min(before + 1, last)];
    const n = this.rows.length;
    for (let i = 0; i < n; i++) {
      const row = this.rows[i];
      row[0] = from[i] + (to[i] - from[i]) * share;
      row[1] = from[n + i] + (to[n + i] - from[n + i]) * share;
    }
    // On the way nobody points at a cell: the index of the last rest is good enough, and a new one for each frame
    // would cost more than drawing.
    const moving = share > 0 && share < 1 && this.index !== undefined;
    await this.plot.draw(this.rows, {
      zDataType: "categorical",
      preventFilterReset: this.index !== undefined,
      spatialIndex: moving ? this.index : undefined,
    });
    this.index = this.plot.get("spatialIndex") as ArrayBuffer;
  }
}

/** Whether a gene is not expressed. */
function isSilent(coloring: Coloring, code: number): boolean {
  return coloring.kind === "gene" && code === 0;
}

/** Cells without a value and those set aside lie below; larger values lie above smaller ones. */
function drawingOrder(coloring: Coloring, focus: ReadonlySet<number>): number[] {
  const rank = new Uint16Array(256);
  for (let code = 0; code < 256; code++) {
    if (code === MISSING || (focus.size > 0 && !focus.has(code))) rank[code] = 0;
    else rank[code] = coloring.kind === "categories" ? 1 : 1 + code;
  }
  const counts = new Uint32Array(258);
  for (const code of coloring.codes) counts[rank[code] + 1]++;
  for (let i = 1; i < counts.length; i++) counts[i] += counts[i - 1];
  const order = new Array<number>(coloring.codes.length);
  coloring.codes.forEach((code, i) => (order[counts[rank[code]]++] = i));
  return order;
}
