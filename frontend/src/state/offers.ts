// Actions by name. The component that knows how to do one offers it for as long as it shows it; keys and other parts of the page
// perform it by name, and nobody presses another's buttons.

import { useEffect } from "react";

export type Action = "accept" | "generate" | "showChecks" | "help";

const offers = new Map<Action, () => void>();

/** null: the action is shown, but cannot be done now. */
export function useOffer(action: Action, run: (() => void) | null): void {
  useEffect(() => {
    if (run === null) return;
    offers.set(action, run);
    return () => {
      if (offers.get(action) === run) offers.delete(action);
    };
  }, [action, run]);
}

/** Does nothing if nobody offers the action. */
export const perform = (action: Action): void => offers.get(action)?.();
