// The plan: files to write, made of files, hunks and lines from any of a generation's responses.
//
// Stored by the browser, so that a reload does not lose it. Nothing is written to disk before the plan is applied.

import { acceptApi } from "../../api/accept";
import type { AcceptView, FilePlan, PreviewView } from "../../api/generated";
import { text } from "../../messages";
import { attempt } from "../../state/attempt";
import { cell } from "../../state/cell";
import { get, notify } from "../../state/store";
import { loadBoard, loadFiles, loadSlot, loadWorkspace } from "../../state/window";
import { type Plan, withChoice } from "./picks";

const plans = new Map<string, ReturnType<typeof cell<Plan>>>();
const NONE: Plan = [];

const keyOf = (generation: number) => `dce-plan ${get().workspace?.root ?? ""} ${generation}`;

function stored(key: string): Plan {
  try {
    return JSON.parse(localStorage.getItem(key) ?? "[]") as Plan;
  } catch {
    return NONE; // another program's words under our name
  }
}

/** The plan of a generation. */
export function planOf(generation: number): ReturnType<typeof cell<Plan>> {
  const key = keyOf(generation);
  const known = plans.get(key);
  if (known) return known;
  const made = cell<Plan>(stored(key));
  plans.set(key, made);
  return made;
}

export function setPlan(generation: number, plan: Plan): void {
  planOf(generation).set(plan);
  const key = keyOf(generation);
  if (plan.length > 0) localStorage.setItem(key, JSON.stringify(plan));
  else localStorage.removeItem(key);
}

addEventListener("storage", ({ key, newValue }) => {
  if (key !== null) plans.get(key)?.set(newValue === null ? NONE : stored(key));
});

export const previewPlan = (generation: number, plan: FilePlan): Promise<PreviewView> =>
  acceptApi.preview({ generation, plan });

export const decide = (generation: number, path: string, index: number, side: "first" | "second" | "both") =>
  setPlan(generation, withChoice(planOf(generation).get(), path, index, side));

/** Writes the plan. The response that contributes most becomes the cycle's choice. */
export const writePlan = (generation: number): Promise<AcceptView | false> =>
  attempt("accept", async () => {
    const plan = planOf(generation).get();
    const slots = plan.flatMap((file) => file.picks.map((pick) => pick.slot));
    const most = slots.toSorted((a, b) => count(slots, b) - count(slots, a))[0] ?? 1;
    // Each part of a plan was picked and seen by the user, so its files need no further tick.
    const confirmed = plan.map((file) => file.path);
    const view = await acceptApi.accept({ generation, slot: most, plans: plan, confirmed });
    setPlan(generation, NONE);
    notify({
      kind: "done",
      text: text.accept.planWritten(view.writes.filter(({ change }) => change !== "same").length),
    });
    await Promise.all([loadWorkspace(), loadFiles(), loadSlot(), loadBoard()]);
    return view;
  });

const count = (slots: ReadonlyArray<number>, slot: number) => slots.filter((each) => each === slot).length;
