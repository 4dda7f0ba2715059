export type Theme = "light" | "dark";

/** Background of the cells, in both themes the same as in the style sheet. */
export const CANVAS: Record<Theme, string> = { light: "#ffffff", dark: "#14171c" };
/** Cells without a value, or set aside by the legend. */
export const QUIET: Record<Theme, string> = { light: "#d9d9d9", dark: "#3a4048" };

// Nine colours of viridis (matplotlib), evenly spaced.
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"].map(
  channels,
);

/** Follow the notebook where there is one, else the system. */
export function currentTheme(): Theme {
  const notebook = document.body.dataset.jpThemeLight;
  if (notebook !== undefined) return notebook === "false" ? "dark" : "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Call back when the theme changes; returns how to stop. */
export function onThemeChange(changed: () => void): () => void {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(changed);
  query.addEventListener("change", changed);
  observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
  return () => {
    query.removeEventListener("change", changed);
    observer.disconnect();
  };
}

/** Colour of a share between 0 and 1: larger values stand out from the background in both themes. */
export function scaleColor(share: number, theme: Theme): string {
  const along = theme === "dark" ? 0.14 + 0.86 * share : 0.94 * (1 - share);
  const at = Math.min(along * (VIRIDIS.length - 1), VIRIDIS.length - 1 - 1e-9);
  const [a, b] = [VIRIDIS[Math.floor(at)], VIRIDIS[Math.floor(at) + 1]];
  return hex(a.map((value, i) => value + (b[i] - value) * (at % 1)));
}

/** The colour of a category, lightened where a dark background would swallow it. */
export function categoryColor(color: string, theme: Theme): string {
  if (theme === "light") return color;
  let rgb = channels(color);
  // black is the farthest from a white background: its counterpart is nearly white
  if (Math.max(...rgb) < 8) return "#f2f2f2";
  while (luminance(rgb) < 0.13) rgb = rgb.map((value) => value + (255 - value) * 0.08);
  return hex(rgb);
}

function channels(color: string): number[] {
  return [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
}

function hex(rgb: number[]): string {
  return "#" + rgb.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("");
}

/** Relative luminance as in the Web Content Accessibility Guidelines. */
function luminance(rgb: number[]): number {
  const [r, g, b] = rgb.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
