// The keyboard: one table, and keys in a text field are left to it.

import { render, screen } from "@testing-library/react";
import { beforeEach, expect, test } from "vitest";
import type { FilesView } from "../api/generated";
import { Files } from "../context";
import { FileTable } from "../state/filetable";
import { useOffer } from "../state/offers";
import { NOWHERE } from "../state/place";
import { get, set } from "../state/store";
import { panelWith } from "../testing/panel";
import { generationOf, progressOf, rowOf } from "../testing/samples";
import { actionOf, KEYMAP } from "./keymap";

const shown = (slot: number) => () => ({
  gives: { progress: progressOf({ slot }), thinking: "", text: "", reading: null },
});

beforeEach(() => {
  const slots = [progressOf(), progressOf({ slot: 2 })];
  set({ place: { ...NOWHERE, cycle: 1, generation: 1 }, generation: generationOf(slots), board: null });
  panelWith({
    "GET /api/generations/1/slots/1": shown(1),
    "GET /api/generations/1/slots/2": shown(2),
    "GET /api/generations/1/board": () => ({
      gives: { generation: 1, rows: [rowOf()], judgements: [], is_checking: false },
    }),
  });
});

/** Presses a key on an element and says whether it did something. */
function press(key: string, on: EventTarget = document.body, change: KeyboardEventInit = {}): boolean {
  let act: (() => void) | undefined;
  const listen = (event: Event) => {
    act = actionOf(event as KeyboardEvent);
  };
  addEventListener("keydown", listen, { once: true });
  on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...change }));
  act?.();
  return act !== undefined;
}

test("no key has two meanings", () => {
  const keys = KEYMAP.flatMap((row) => Object.keys(row.keys));
  expect(new Set(keys).size).toBe(keys.length);
});

test("keys walk the responses and stop at both ends", () => {
  expect(press("j")).toBe(true);
  expect(get().place.slot).toBe(1);
  for (const key of ["j", "j", "9"]) press(key);
  expect(get().place.slot).toBe(2);
  press("1");
  expect(get().place.slot).toBe(1);
  press("d");
  expect(get().place.facet).toBe("diff");
  press("b");
  expect(get().place.slot).toBe(null);
  expect(press("d")).toBe(false);
});

test("a key in a text field, in a dialog or with another modifier is not ours", () => {
  render(
    <>
      <input aria-label="field" />
      <div role="dialog">
        <button type="button">{"x"}</button>
      </div>
    </>,
  );
  expect(press("j", screen.getByLabelText("field"))).toBe(false);
  expect(press("j", screen.getByRole("button"))).toBe(false);
  expect(press("j", document.body, { altKey: true })).toBe(false);
  expect(press("j", document.body, { ctrlKey: true })).toBe(false);
  expect(get().place.slot).toBe(null);
});

function Offering({ onAct }: { onAct: (() => void) | null }) {
  useOffer("generate", onAct);
  return (
    <div data-keys="cycle">
      <textarea aria-label="words" />
    </div>
  );
}

test("Ctrl+Enter in the cycle's text generates, if that can be done now and only there", () => {
  let count = 0;
  const act = () => {
    count++;
  };
  const { rerender } = render(<Offering onAct={act} />);
  const words = screen.getByLabelText("words");
  press("Enter", words, { ctrlKey: true });
  press("Enter", words, { metaKey: true });
  expect(press("Enter", document.body, { ctrlKey: true })).toBe(false);
  expect(count).toBe(2);
  rerender(<Offering onAct={null} />);
  press("Enter", words, { ctrlKey: true });
  expect(count).toBe(2);
});

const ONE_FILE: FilesView = {
  cursor: "1",
  is_whole: true,
  is_counting: false,
  paths: ["a.py"],
  sizes: [40],
  tokens: [10],
  exact: "1",
  excluded: {},
  documents: [],
  removed: [],
};

test("f leads to the files' filter in the main view, and nowhere else", () => {
  set({ files: FileTable.of(ONE_FILE) });
  render(<Files />);
  press("f");
  expect(document.activeElement?.id).toBe("file-filter");
  set({ place: { ...NOWHERE, pane: "history" } });
  expect(press("f")).toBe(false);
});
