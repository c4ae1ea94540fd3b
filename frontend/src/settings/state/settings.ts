// The settings and model cards, and the actions on them.

import { api } from "../../api/client";
import type { ServerQuery, SettingsView } from "../../api/generated";
import { attempt } from "../../state/attempt";
import { get, set } from "../../state/store";
import { loadCycle } from "../../state/window";

export async function loadSettings(): Promise<void> {
  // Loading the workspace already reports a panel that does not respond.
  const settings = await api.settings().catch(() => null);
  if (settings) set({ settings });
}

const kept = (name: string, work: () => Promise<SettingsView>) =>
  attempt(name, async () => {
    set({ settings: await work() });
    return true;
  });

/** `key` null keeps the stored key. */
export const saveSettings = (values: Record<string, string>, key: string | null) =>
  kept("settings", () => api.editSettings({ values, key }));

export const saveCard = (name: string, values: Record<string, string>, key: string | null) =>
  kept("settings", () => api.putCard(name, { values, key }));

export const deleteCard = (name: string) => kept("settings", () => api.deleteCard(name));

export const chooseCard = (cycle: number, card: string) =>
  attempt("card", async () => {
    await api.chooseCard(cycle, { card });
    await loadCycle();
  });

let runs = 0;

/** Runs the doctor. Its lines arrive as events with the run's name, and the whole tree at the end. */
export const examine = (query: Omit<ServerQuery, "run">) =>
  attempt("examine", async () => {
    const run = `${Date.now()}-${++runs}`;
    set({ examination: { run, lines: [], verdict: null } });
    try {
      const verdict = await api.examine({ ...query, run });
      if (get().examination?.run === run) set({ examination: { run, lines: verdict.checks, verdict } });
    } catch (error) {
      set({ examination: null });
      throw error;
    }
  });

export const forgetExamination = () => set({ examination: null });
