// The steps of the loop, with the next one marked. Each leads to its part of the screen.

import { useEffect, useRef } from "react";
import { openFiles } from "../context";
import { doneSteps, type Facts, factsOf, nextStep, openSteps, STEPS, type Step, unfold, useDraft } from "../cycle";
import { Check } from "../kit/icons";
import { text } from "../messages";
import { get, use } from "../state/store";
import { chooseCycle, closePane, goTo, openPane } from "../state/window";

export function Steps() {
  const draft = useDraft();
  const isLoading = use((state) => state.workspace === null);
  // Compared as text: the steps render again only when a fact changes, however fast responses stream in.
  const facts = JSON.parse(use((state) => JSON.stringify(factsOf(state, draft)))) as Facts;
  const list = useRef<HTMLOListElement>(null);
  const { step } = nextStep(facts);
  useEffect(() => {
    const current = list.current?.querySelector<HTMLElement>("[aria-current]");
    if (current && list.current) list.current.scrollLeft = current.offsetLeft - list.current.clientWidth / 2;
  }, [step, isLoading]);
  if (isLoading) return <nav className="steps" aria-label={text.steps.label} aria-busy="true" />;
  const next = nextStep(facts);
  const done = doneSteps(facts);
  const open = openSteps(facts);
  return (
    <nav className="steps" aria-label={text.steps.label}>
      <ol ref={list}>
        {STEPS.map((each, index) => (
          <li key={each}>
            <button
              type="button"
              className={done.has(each) ? "step is-done" : "step"}
              aria-label={text.steps.name(index + 1, each, done.has(each))}
              aria-current={next.step === each ? "step" : undefined}
              disabled={!open.has(each)}
              onClick={() => ACTS[each]()}
            >
              {done.has(each) && <Check />}
              {text.steps.names[each]}
            </button>
          </li>
        ))}
      </ol>
      <p className="advice">{text.steps.advice[next.advice]}</p>
    </nav>
  );
}

/** Focuses the element with this id once the screen shows it. */
function focus(id: string): void {
  if (get().place.pane !== null) closePane();
  setTimeout(() => {
    const found = document.getElementById(id);
    found?.scrollIntoView({ block: "nearest" });
    found?.focus();
  });
}

/** Focuses the text of the current cycle, and expands it if it is collapsed. */
function write(): void {
  const { cycle } = get().place;
  if (cycle !== null) unfold(cycle);
  focus("cycle-context");
}

/** The response that the board ranks first; without a board, response 1. */
const best = () => get().board?.rows.find((row) => row.rank === 1)?.slot ?? 1;

const ACTS: Readonly<Record<Step, () => void>> = {
  scope: () => {
    if (get().place.cycle !== 0) chooseCycle(0);
    write();
  },
  context: () => {
    openFiles();
    focus("file-filter");
  },
  cycle: write,
  prompt: () => openPane("prompt"),
  generate: () => focus("generate"),
  board: () => {
    goTo(null);
    focus("responses");
  },
  review: () => {
    if (get().place.slot === null) goTo(best());
    focus("responses");
  },
  accept: () => {
    if (get().place.slot === null) goTo(best());
    focus("accept");
  },
  test: () => focus("restore"),
  next: () => focus(get().workspace?.restorable ? "restore" : "new-cycle"),
};
