// What a person does with a cycle: create it, edit its texts, generate from it.

import { api, errorBody } from "../../api/client";
import type { CycleEdit } from "../../api/generated";
import { attempt } from "../../state/attempt";
import { NOWHERE } from "../../state/place";
import { get, set } from "../../state/store";
import { chooseCycle, go, loadWorkspace } from "../../state/window";

export const createCycle = () =>
  attempt("cycle", async () => {
    const { cycle } = await api.createCycle({ title: "", context: "", ephemeral: "" });
    await loadWorkspace();
    chooseCycle(cycle.id);
    document.getElementById("cycle-title")?.focus();
  });

export async function editCycle(id: number, edit: CycleEdit): Promise<number> {
  const view = await api.editCycle(id, edit);
  if (get().place.cycle === id) set({ cycle: view });
  return view.cycle.rev;
}

export const generate = (n: number) =>
  attempt("generate", async () => {
    const { cycle } = get().place;
    if (cycle === null) return;
    try {
      const generation = await api.generate({ cycle, n });
      go({ ...NOWHERE, cycle, generation: generation.id });
    } catch (error) {
      if (!ASKS.has(errorBody(error).code)) throw error;
      set({ gate: { cycle, n } });
    }
    await loadWorkspace();
  });

/** Refusals that the curator can resolve in the gate. */
const ASKS = new Set(["consent_needed", "secrets_found"]);
export const closeGate = () => set({ gate: null });
