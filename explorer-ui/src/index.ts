import { type Handle, mount } from "./explorer";
import type { Header } from "./payload";

/** The model of an anywidget, as far as it is used here. */
interface WidgetModel {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  on(event: string, callback: () => void): void;
  off(event: string, callback: () => void): void;
  save_changes(): void;
}

function render({ model, el }: { model: WidgetModel; el: HTMLElement }): () => void {
  const header = JSON.parse(model.get("header") as string) as Header;
  const data = model.get("data") as DataView;
  const pictures = model.get("pictures") as Record<string, string>;
  const place = (): number => header.points.findIndex((point) => point.number === model.get("point"));
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const source = { header, data: bytes, panels: pictures.panels, start: Math.max(place(), 0) };
  let handle: Handle | null = null;
  handle = mount(el, source, (shown) => {
    if (!handle || header.points[shown].number === model.get("point")) return;
    model.set("point", header.points[shown].number);
    model.save_changes();
  });
  const follow = (): void => handle?.go(place());
  model.on("change:point", follow);
  return () => {
    model.off("change:point", follow);
    handle?.destroy();
  };
}

export default { render };

// An exported page carries its header and data with it.
const header = document.getElementById("scpareto-explorer-header");
const data = document.getElementById("scpareto-explorer-data");
const root = document.getElementById("scpareto-explorer");
if (header?.textContent && data?.textContent && root) {
  const text = atob(data.textContent.trim());
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const panels = root.querySelector<HTMLImageElement>('img[data-picture="panels"]')?.src;
  const facts = JSON.parse(header.textContent) as Header;
  mount(root, { header: facts, data: bytes, panels, start: facts.selected });
}
