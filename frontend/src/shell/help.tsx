// The keyboard shortcuts and their handler. Keys pressed in a text field are left alone.

import { useEffect } from "react";
import { flushSync } from "react-dom";
import { openFiles } from "../context";
import { unfold } from "../cycle";
import { Dialog } from "../kit/dialog";
import { text } from "../messages";
import type { Facet } from "../state/place";
import { get } from "../state/store";
import { goTo, openPane, showFacet } from "../state/window";

export function Help({ isOpen, onClose }: { isOpen: boolean; onClose: () => void }) {
  return (
    <Dialog title={text.shell.keysTitle} isOpen={isOpen} onClose={onClose}>
      <dl className="keys">
        {text.shell.keys.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p className="muted">{text.shell.keysNote}</p>
      <div className="row buttons">
        <button type="button" className="primary push" onClick={onClose}>
          {text.shell.close}
        </button>
      </div>
    </Dialog>
  );
}

const ACTS: Readonly<Record<string, () => void>> = {
  b: () => goTo(null),
  j: () => step(1),
  k: () => step(-1),
  p: () => facet("answer"),
  d: () => facet("diff"),
  l: () => facet("pick"),
  r: () => facet("raw"),
  t: toChecks,
  a: () => document.getElementById("accept")?.click(),
  f: toFiles,
  c: writeCycle,
  "[": () => document.getElementById("cycle-earlier")?.click(),
  "]": () => document.getElementById("cycle-later")?.click(),
  h: () => openPane("history"),
  s: () => openPane("settings"),
};

/** Expands at once, because the next key may follow immediately. */
function toFiles(): void {
  flushSync(openFiles);
  document.getElementById("file-filter")?.focus();
}

/** The checks of the response in view; on the board, those of all. */
function toChecks(): void {
  if (get().place.slot !== null) showFacet("checks");
  else document.getElementById("board-checks")?.click();
}

function writeCycle(): void {
  const { cycle } = get().place;
  if (cycle !== null) flushSync(() => unfold(cycle));
  document.getElementById("cycle-context")?.focus();
}

const facet = (name: Facet) => {
  if (get().place.slot !== null) showFacet(name);
};

function step(by: number): void {
  const { generation, place } = get();
  if (!generation) return;
  const next = (place.slot ?? 0) + by;
  if (next >= 1 && next <= generation.n) goTo(next);
}

export function useKeys(onHelp: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      const isWriting = target.matches("input, textarea, select, [contenteditable=true]");
      const isInTree = target.closest("[role=dialog]") !== null;
      if (isWriting || isInTree || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      const act = event.key === "?" ? onHelp : (ACTS[event.key] ?? digit(event.key));
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, [onHelp]);
}

function digit(key: string): (() => void) | undefined {
  if (!/^\d$/.test(key)) return undefined;
  const slot = key === "0" ? 10 : Number(key);
  return () => {
    if (slot <= (get().generation?.n ?? 0)) goTo(slot);
  };
}
