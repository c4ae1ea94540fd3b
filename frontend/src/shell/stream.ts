// The window's event stream: a snapshot first, then the events after its cursor.

import { api } from "../api/client";
import type { Event, SlotProgress } from "../api/generated";
import { areChecksInView, checksFileOf, checksProgressed, loadChecks, loadChecksFile } from "../board";
import { refreshContext } from "../context";
import { loadSettings } from "../settings";
import { grow } from "../state/growth";
import { SharedStream } from "../state/shared";
import { get, set } from "../state/store";
import { loadBoard, loadFiles, loadGeneration, loadSlot, loadWorkspace } from "../state/window";

const TERMINAL = new Set(["complete", "truncated", "stopped", "error", "interrupted"]);
const SETTLE_MS = 120;
const RETRY_MS = 3_000;

/** Debounces `work`: many events in a row cause one load. */
function settled(work: () => unknown): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, SETTLE_MS);
  };
}

const soon = {
  workspace: settled(loadWorkspace),
  files: settled(() => loadFiles()),
  context: settled(refreshContext),
  generation: settled(loadGeneration),
  board: settled(loadBoard),
  checks: settled(loadChecks),
  checksFile: settled(() => checksFileOf.get() && loadChecksFile()),
  slot: settled(loadSlot),
  settings: settled(loadSettings),
};

function everything(): void {
  soon.workspace();
  soon.context();
  soon.files();
  soon.generation();
  soon.board();
  soon.checks();
  soon.checksFile();
  soon.slot();
  soon.settings();
}

type Handlers = { readonly [Name in Event["event"]]: (event: Extract<Event, { event: Name }>) => void };

/** How each event changes the window. The compiler requires a handler for every kind that the panel sends. */
const HANDLERS: Handlers = {
  generation_started: ({ generation }) => {
    soon.workspace();
    if (generation === get().place.generation) {
      soon.generation();
      soon.slot();
    }
  },
  slot_progress: progressed,
  slot_text: (event) => {
    const { place } = get();
    const isShown = event.generation === place.generation && event.slot === place.slot;
    if (isShown && !grow(event)) soon.slot();
  },
  generation_ended: ({ generation }) => {
    soon.workspace();
    if (generation !== get().place.generation) return;
    soon.generation();
    soon.board();
    if (areChecksInView()) soon.checks();
    soon.slot();
  },
  checks_finished: ({ generation }) => {
    if (generation !== get().place.generation) return;
    soon.board();
    soon.checks();
  },
  checks_progress: (progress) => {
    checksProgressed(progress);
    // A load that was under way may bring an older state; the next one does not.
    if (progress.generation === get().place.generation) soon.checks();
  },
  workspace_changed: ({ what }) => changed(what),
  hop_checked: ({ run, ...line }) => {
    const { examination } = get();
    if (examination?.run !== run || examination.verdict) return;
    set({ examination: { ...examination, lines: [...examination.lines, line] } });
  },
};

const shared = new SharedStream(Object.keys(HANDLERS), {
  onEvent: (name, data) => (HANDLERS[name as Event["event"]] as (event: unknown) => void)(JSON.parse(data)),
  onReset: everything,
  onLink: (connection) => set({ connection }),
  // The panel has stopped, or was restarted and does not know this window's session.
  onClosed: () => setTimeout(connect, RETRY_MS),
});

export async function connect(): Promise<void> {
  await Promise.all([loadWorkspace(), loadFiles(), loadSettings()]);
  refreshContext();
  const { workspace, place } = get();
  if (workspace === null || get().connection === "closed") {
    // After a pause the current snapshot may be old: only a new one counts.
    const isBack = await api.workspace().catch(() => null);
    if (isBack === null) {
      set({ connection: "closed" });
      setTimeout(connect, RETRY_MS);
      return;
    }
    everything();
    shared.start(isBack.cursor);
    return;
  }
  if (place.generation !== null) await Promise.all([loadGeneration(), loadBoard(), loadSlot()]);
  shared.start(workspace.cursor);
}

function progressed(event: SlotProgress): void {
  const { generation, place } = get();
  if (generation === null || event.generation !== generation.id) return;
  const slots = generation.slots.map((slot) =>
    slot.slot === event.slot && event.version >= slot.version ? event : slot,
  );
  set({ generation: { ...generation, slots } });
  if (!TERMINAL.has(event.status)) return;
  soon.board();
  if (event.slot === place.slot) soon.slot();
}

function changed(what: string): void {
  if (what === "store") return everything();
  if (what === "counts") return soon.files();
  if (what === "judgements") return soon.board();
  soon.workspace();
  if (what !== "checks" && what !== "watch") soon.context();
  if (what === "files") {
    soon.checksFile();
    soon.files();
    soon.board();
    soon.checks();
    soon.slot();
  }
  if (what === "generations") soon.generation();
  if (what === "settings") soon.settings();
  if (what === "checks") {
    soon.board();
    soon.checks();
    soon.checksFile();
  }
}
