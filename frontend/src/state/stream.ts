// The window's one event stream: snapshot first, then what happened since its cursor.

import type {
  ChecksFinished,
  GenerationEnded,
  GenerationStarted,
  SlotProgress,
  SlotText,
  WorkspaceChanged,
} from "../api/generated";
import { loadBoard, loadFiles, loadGeneration, loadSlot, loadWorkspace } from "./actions";
import { grow } from "./growth";
import { get, set } from "./store";

const TERMINAL = new Set(["complete", "truncated", "stopped", "error", "interrupted"]);
const SETTLE_MS = 120;
const RETRY_MS = 3_000;

/** Runs `work` once things have settled: many events in a row load a thing once. */
function settled(work: () => unknown): () => void {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, SETTLE_MS);
  };
}

const soon = {
  workspace: settled(loadWorkspace),
  files: settled(loadFiles),
  generation: settled(loadGeneration),
  board: settled(loadBoard),
  slot: settled(loadSlot),
};

function everything(): void {
  soon.workspace();
  soon.files();
  soon.generation();
  soon.board();
  soon.slot();
}

export async function connect(): Promise<void> {
  await Promise.all([loadWorkspace(), loadFiles()]);
  const { workspace, place } = get();
  if (workspace === null) {
    set({ connection: "closed" });
    setTimeout(connect, RETRY_MS);
    return;
  }
  if (place.generation !== null) await Promise.all([loadGeneration(), loadBoard(), loadSlot()]);
  follow(workspace.cursor);
}

function follow(cursor: string): void {
  const source = new EventSource(`/api/events?cursor=${encodeURIComponent(cursor)}`);
  source.addEventListener("open", () => {
    if (get().connection === "lost") everything();
    set({ connection: "live" });
  });
  source.addEventListener("error", () => {
    if (source.readyState !== EventSource.CLOSED) {
      set({ connection: "lost" });
      return;
    }
    // The browser gave up: the panel ended, or is another one that does not know this window's session.
    set({ connection: "closed" });
    setTimeout(connect, RETRY_MS);
  });
  source.addEventListener("reset", everything);
  const on = <T>(name: string, act: (event: T) => void) =>
    source.addEventListener(name, (event) => act(JSON.parse((event as MessageEvent<string>).data) as T));
  on<GenerationStarted>("generation_started", ({ generation }) => {
    soon.workspace();
    if (generation === get().place.generation) {
      soon.generation();
      soon.slot();
    }
  });
  on<SlotProgress>("slot_progress", progressed);
  on<SlotText>("slot_text", (event) => {
    const { place } = get();
    const isShown = event.generation === place.generation && event.slot === place.slot;
    if (isShown && !grow(event)) soon.slot();
  });
  on<GenerationEnded>("generation_ended", ({ generation }) => {
    soon.workspace();
    if (generation !== get().place.generation) return;
    soon.generation();
    soon.board();
    soon.slot();
  });
  on<ChecksFinished>("checks_finished", ({ generation }) => {
    if (generation === get().place.generation) soon.board();
  });
  on<WorkspaceChanged>("workspace_changed", ({ what }) => changed(what));
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
  soon.workspace();
  if (what === "files") {
    soon.files();
    soon.board();
    soon.slot();
  }
  if (what === "generations") soon.generation();
  if (what === "checks") soon.board();
}
