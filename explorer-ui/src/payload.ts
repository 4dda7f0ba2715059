import { unzlibSync } from "fflate";

export interface Metric {
  key: string;
  title: string;
  higher: boolean;
  /** Decimals worth writing. */
  digits: number;
  values: (number | null)[];
  low: (number | null)[] | null;
  high: (number | null)[] | null;
}

export interface ColoringFacts {
  name: string;
  kind: "categories" | "numbers" | "gene";
  categories: string[];
  colors: string[];
  low: number;
  high: number;
}

/** A point of the front, or a preference between two points, whose measures nobody knows. */
export interface Place {
  /** Number of the point; the preference where it was not judged. */
  number: number;
  name: string;
  preference: string;
  /** What is left of the batch, in words; empty where nobody knows. */
  left: string;
  judged: boolean;
  /** Line of Python that takes the point, where it is not `model.select`. */
  line?: string;
}

/** A cluster, marker or difference that was looked for at every point. */
export interface Finding {
  kind: string;
  group: string;
  gene: string;
  /** `robust`, `fragile` or `only beyond the alarm`. */
  call: string;
  effect: number | null;
  /** For each place 1 where it is found, 0 where not, null where nobody has looked. */
  at: (number | null)[];
}

export interface Header {
  title: string;
  note: string;
  n_cells: number;
  low: [number, number];
  high: [number, number];
  points: Place[];
  selected: number;
  recommended: number | null;
  metrics: Metric[];
  plane: { x: number | null; y: number | null; kept: boolean[] };
  alarm: (number | null)[];
  /** Value of the alarm from which on it rings. */
  alarm_from: number;
  colorings: ColoringFacts[];
  findings?: { sentence: string; rows: Finding[] };
}

/** What is known of a place beside its number. */
export function wordsOf({ name, left, preference }: Place): string[] {
  return [name, left, preference].filter(Boolean);
}

/** What to call a place. */
export function titleOf({ number, judged }: Place): string {
  return judged ? `Point ${number}` : `Preference ${number}`;
}

/** Values at all places: where nobody has judged, on the line between the points to either side. */
export function bridged(values: (number | null)[], places: Place[]): (number | null)[] {
  return values.map((value, i) => {
    if (!places[i] || places[i].judged) return value;
    let [before, after] = [i, i];
    while (before >= 0 && !places[before].judged) before--;
    while (after < places.length && !places[after].judged) after++;
    const [from, to] = [values[before] ?? null, values[after] ?? null];
    return from === null || to === null ? null : from + ((to - from) * (i - before)) / (after - before);
  });
}

export interface Coloring extends ColoringFacts {
  codes: Uint8Array;
}

/** Code of a cell without a value. */
export const MISSING = 255;

export interface Cells {
  /** For each point, all x then all y, between -1 and 1 along the longer axis. */
  positions: Float32Array[];
  /** Half the width and half the height of all positions. */
  half: [number, number];
  colorings: Coloring[];
}

/** Read the compressed bytes: two bytes for each coordinate, then one byte for each cell and colouring. */
export function unpack(header: Header, compressed: Uint8Array): Cells {
  const bytes = unzlibSync(compressed);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const n = header.n_cells;
  const extent = [header.high[0] - header.low[0], header.high[1] - header.low[1]];
  const longer = Math.max(extent[0], extent[1]);
  const half: [number, number] = [extent[0] / longer, extent[1] / longer];
  const positions = header.points.map((_, point) => {
    const xy = new Float32Array(2 * n);
    for (let i = 0; i < 2 * n; i++) {
      const step = view.getUint16(2 * (2 * n * point + i), true);
      xy[i] = half[i < n ? 0 : 1] * ((2 * step) / 65535 - 1);
    }
    return xy;
  });
  const start = 4 * n * header.points.length;
  const colorings = header.colorings.map((facts, i) => ({
    ...facts,
    codes: bytes.subarray(start + i * n, start + (i + 1) * n),
  }));
  return { positions, half, colorings };
}
