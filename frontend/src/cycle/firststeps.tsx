// The steps that lead to the first responses, with a sentence on each. Derived from state, like the step bar.

import { Rich } from "../kit/rich";
import { text } from "../messages";
import { use } from "../state/store";
import { useDraft } from "./state/draft";
import { factsOf } from "./state/facts";
import { doneSteps, nextStep, type Step } from "./state/next";

export function FirstSteps() {
  const draft = useDraft();
  const facts = JSON.parse(use((state) => JSON.stringify(factsOf(state, draft)))) as ReturnType<typeof factsOf>;
  const selected = use((state) => state.selection.size);
  const isFirst = use((state) => (state.workspace?.cycles.length ?? 0) <= 1);
  const done = doneSteps(facts);
  const next = nextStep(facts).step;
  const words = text.progress.steps;
  const steps: ReadonlyArray<readonly [Step, string]> = [
    ...(facts.isScope ? ([["scope", words.scope]] as const) : []),
    ["context", facts.hasFiles || !facts.isScope ? words.files(selected) : words.noFiles],
    ...(facts.isScope ? [] : ([["cycle", words.task]] as const)),
    ["generate", facts.isScope ? words.generateFirst : words.generate],
    ["review", words.judge(facts.hasChecks)],
  ];
  return (
    <section className="card first-steps" aria-label={text.progress.firstSteps}>
      <h2>{facts.isScope && isFirst ? text.progress.welcome : text.progress.none}</h2>
      <ol>
        {steps.map(([step, sentence]) => (
          <li key={step} className={done.has(step) ? "is-done" : next === step ? "is-next" : ""}>
            <Rich text={sentence} />
            {done.has(step) && <span className="hidden">{text.progress.isDone}</span>}
          </li>
        ))}
      </ol>
    </section>
  );
}
