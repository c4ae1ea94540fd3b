// The cycle's texts while they are edited: saved automatically a moment after the last key, and never over another edit.

import { useSyncExternalStore } from "react";
import { ApiError, api, errorBody } from "../../api/client";
import type { Cycle } from "../../api/generated";
import { editCycle } from "./actions";
import type { Draft, Field } from "./texts";

const SAVE_AFTER_MS = 600;

let draft: Draft | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
let saving: Promise<void> | null = null;
const listeners = new Set<() => void>();

function put(next: Draft | null): void {
  draft = next;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};
export const useDraft = () => useSyncExternalStore(subscribe, () => draft);

const of = (cycle: Cycle): Draft => ({
  cycle: cycle.id,
  rev: cycle.rev,
  title: cycle.title,
  context: cycle.context,
  ephemeral: cycle.ephemeral,
  status: "saved",
});

/** Takes the panel's version of a cycle, unless it is being edited here. */
export function adopt(cycle: Cycle): void {
  if (draft?.cycle === cycle.id && (draft.status !== "saved" || draft.rev >= cycle.rev)) return;
  if (draft?.cycle !== cycle.id) void flush();
  put(of(cycle));
}

export function write(field: Field, text: string): void {
  if (!draft) return;
  put({ ...draft, [field]: text, status: draft.status === "conflict" ? "conflict" : "unsaved" });
  clearTimeout(timer);
  if (draft.status !== "conflict") timer = setTimeout(flush, SAVE_AFTER_MS);
}

/** Saves what is unsaved. True: everything is saved. */
export async function flush(): Promise<boolean> {
  clearTimeout(timer);
  while (saving) await saving;
  if (draft?.status === "unsaved" || draft?.status === "failed") {
    saving = save(draft);
    await saving;
  }
  return draft === null || draft.status === "saved";
}

async function save(sent: Draft): Promise<void> {
  put({ ...sent, status: "saving" });
  const { rev, title, context, ephemeral } = sent;
  try {
    const kept = await editCycle(sent.cycle, { rev, title, context, ephemeral });
    settle(sent, { rev: kept, status: "saved" });
  } catch (error) {
    const isConflict = error instanceof ApiError && error.body.code === "conflict";
    settle(sent, { status: isConflict ? "conflict" : "failed" });
    if (!isConflict) console.warn(errorBody(error).message);
  } finally {
    saving = null;
  }
}

/** After a save: what was typed meanwhile still has to be saved. */
function settle(sent: Draft, change: Partial<Draft>): void {
  if (draft?.cycle !== sent.cycle) return;
  const isSame = draft.title === sent.title && draft.context === sent.context && draft.ephemeral === sent.ephemeral;
  if (change.status === "saved" && !isSame) {
    put({ ...draft, ...change, status: "unsaved" });
    timer = setTimeout(flush, SAVE_AFTER_MS);
  } else {
    put({ ...draft, ...change });
  }
}

/** Resolves a conflict: loads the other version, or overwrites it with this one. */
export async function resolve(isMine: boolean): Promise<void> {
  if (!draft) return;
  const { cycle: theirs } = await api.cycle(draft.cycle);
  if (draft.cycle !== theirs.id) return;
  if (isMine) {
    put({ ...draft, rev: theirs.rev, status: "unsaved" });
    await flush();
  } else {
    put(of(theirs));
  }
}

/** A page that is closed saves its last edits. */
addEventListener("pagehide", () => {
  if (draft?.status !== "unsaved") return;
  const { cycle, rev, title, context, ephemeral } = draft;
  void fetch(`/api/cycles/${cycle}`, {
    method: "PUT",
    keepalive: true,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ rev, title, context, ephemeral }),
  });
});
