// The keyboard: which key does what, and where it holds. The help dialog shows the same table, with the words of `text.shell.keys`.

import { flushSync } from "react-dom";
import { openFiles } from "../context";
import { stepCycle, unfold } from "../cycle";
import type { text } from "../messages";
import { perform } from "../state/offers";
import type { Facet } from "../state/place";
import { get, type State } from "../state/store";
import { goTo, openPane, showFacet } from "../state/window";

/** Where a key holds. Keys pressed in a text field are left to it, except those of `writing`. */
const PLACES = {
  anywhere: () => true,
  /** The main view, with files, cycle and responses. */
  main: ({ place }: State) => place.pane === null || place.pane === "prompt",
  response: ({ place }: State) => place.slot !== null,
  /** The fields of the element that says `data-keys="cycle"`. */
  writing: (_: State, target: Element) => target.closest("[data-keys=cycle]") !== null,
} as const;

interface Binding {
  /** Its keys and words in the help dialog. */
  readonly name: keyof typeof text.shell.keys;
  readonly where: keyof typeof PLACES;
  /** None: a widget or the browser handles them. */
  readonly keys: Readonly<Record<string, () => void>>;
}

const DIGITS = Object.fromEntries(Array.from("1234567890", (key) => [key, () => toResponse(Number(key) || 10)]));

/** In the order of the help dialog. */
export const KEYMAP: ReadonlyArray<Binding> = [
  { name: "generate", where: "writing", keys: { "Ctrl+Enter": () => perform("generate") } },
  { name: "response", where: "anywhere", keys: DIGITS },
  { name: "board", where: "anywhere", keys: { b: () => goTo(null) } },
  { name: "step", where: "anywhere", keys: { j: () => step(1), k: () => step(-1) } },
  {
    name: "facets",
    where: "response",
    keys: { p: facet("answer"), d: facet("diff"), l: facet("pick"), r: facet("raw") },
  },
  { name: "checks", where: "anywhere", keys: { t: toChecks } },
  { name: "accept", where: "response", keys: { a: () => perform("accept") } },
  { name: "files", where: "main", keys: { f: toFiles } },
  { name: "cycle", where: "main", keys: { c: writeCycle } },
  { name: "cycles", where: "main", keys: { "[": () => stepCycle(-1), "]": () => stepCycle(1) } },
  { name: "panes", where: "anywhere", keys: { h: () => openPane("history"), s: () => openPane("settings") } },
  { name: "help", where: "anywhere", keys: { "?": () => perform("help") } },
  { name: "close", where: "anywhere", keys: {} },
];

const FIELDS = "input, textarea, select, [contenteditable=true]";

/** What the key of this event does where it was pressed; undefined if that is not ours. */
export function actionOf(event: KeyboardEvent): (() => void) | undefined {
  const target = event.target as Element;
  if (event.altKey || event.defaultPrevented || target.closest("[role=dialog]") !== null) return undefined;
  const key = event.ctrlKey || event.metaKey ? `Ctrl+${event.key}` : event.key;
  const isWriting = target.matches(FIELDS);
  const found = KEYMAP.find(
    ({ where, keys }) => key in keys && (where === "writing" || !isWriting) && PLACES[where](get(), target),
  );
  return found?.keys[key];
}

function toResponse(slot: number): void {
  if (slot <= (get().generation?.n ?? 0)) goTo(slot);
}

function step(by: number): void {
  const { generation, place } = get();
  if (!generation) return;
  const next = (place.slot ?? 0) + by;
  if (next >= 1 && next <= generation.n) goTo(next);
}

function facet(name: Facet): () => void {
  return () => showFacet(name);
}

/** The checks of the response in view; on the board, those of all. */
function toChecks(): void {
  if (get().place.slot !== null) showFacet("checks");
  else perform("showChecks");
}

/** Expands at once, because the next key may follow immediately. */
function toFiles(): void {
  flushSync(openFiles);
  document.getElementById("file-filter")?.focus();
}

function writeCycle(): void {
  const { cycle } = get().place;
  if (cycle !== null) flushSync(() => unfold(cycle));
  document.getElementById("cycle-context")?.focus();
}
