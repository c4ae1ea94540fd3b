// The facts that the next step is derived from.

import type { State } from "../../state/store";
import { isActive } from "../../text/words";
import type { Facts } from "./next";
import type { Draft } from "./texts";

const UNREADABLE = new Set(["error", "interrupted"]);

/** `draft`: the cycle's text as it is being edited; on other screens the saved text counts. */
export function factsOf(state: State, draft: Pick<Draft, "cycle" | "context"> | null): Facts {
  const context = draft?.cycle === state.place.cycle && draft ? draft.context : (state.cycle?.cycle.context ?? "");
  const { workspace, place, generation, board } = state;
  const isScope = place.cycle === 0;
  const hasText = context.trim() !== "";
  const ended = generation?.slots.filter((slot) => !isActive(slot) && !UNREADABLE.has(slot.status)) ?? [];
  return {
    isScope,
    hasScope: isScope ? hasText : (workspace?.cycles[0]?.has_context ?? false),
    hasFiles: state.files?.hasUsable ?? false,
    selected: state.selection.size,
    hasTask: hasText,
    isBlocked: state.meter?.is_blocked ?? false,
    running: generation?.slots.filter(isActive).length ?? 0,
    readable: ended.length,
    hasChecks: (workspace?.checks.length ?? 0) > 0,
    isChecked: board?.rows.some((row) => row.checks !== null) ?? false,
    isReviewing: place.slot !== null,
    accepted: acceptedOf(state),
  };
}

function acceptedOf({ workspace, cycle, board }: State): Facts["accepted"] {
  const acceptance = workspace?.restorable;
  if (!acceptance || !cycle?.generations.some(({ id }) => id === acceptance.generation)) return null;
  if (board?.generation !== acceptance.generation) return "unchecked";
  const checks = board.rows.find((row) => row.slot === acceptance.slot)?.checks;
  return checks ? (checks.failed === 0 ? "pass" : "fail") : "unchecked";
}
