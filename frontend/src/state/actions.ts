// User actions, and loading what a screen shows. Errors end in a notice; nothing here throws.

import { api, errorBody } from "../api/client";
import { acceptApi } from "../api/accept";
import { contextApi } from "../api/context";
import type { CycleEdit, RestoreView, AcceptView } from "../api/generated";
import { LiveResponse } from "../text/livetext";
import { text } from "../text/messages";
import { FileTable } from "./filetable";
import { replay } from "./growth";
import { type Facet, NOWHERE, type Pane, type Place, readPlace, writePlace } from "./place";
import { get, notify, notifyError, set } from "./store";

/** Runs `work` under a name that disables its button meanwhile. False: it failed, and a notice says why. */
export async function attempt<T>(name: string, work: () => Promise<T>): Promise<T | false> {
  if (get().busy.has(name)) return false;
  set({ busy: new Set(get().busy).add(name) });
  try {
    return await work();
  } catch (error) {
    notifyError(errorBody(error));
    return false;
  } finally {
    const busy = new Set(get().busy);
    busy.delete(name);
    set({ busy });
  }
}

/** The latest load of each kind wins: an older result that arrives later is dropped. */
const turns = new Map<string, number>();
export async function latest<T>(kind: string, load: () => Promise<T>, use: (value: T) => void): Promise<void> {
  const turn = (turns.get(kind) ?? 0) + 1;
  turns.set(kind, turn);
  try {
    const value = await load();
    if (turns.get(kind) === turn) use(value);
  } catch (error) {
    if (turns.get(kind) === turn) notifyError(errorBody(error));
  }
}

export const loadWorkspace = () =>
  latest("workspace", api.workspace, (workspace) => {
    const { selection } = get();
    set({ workspace, selection: isSaving() ? selection : new Set(workspace.selection) });
    settle();
    void loadCycle();
  });

/** Resolves a place that does not exist or is incomplete to the latest one that fits. */
function settle(): void {
  const { place, workspace } = get();
  const cycles = workspace?.cycles ?? [];
  // An address with only a generation: the generation says which cycle it belongs to.
  if (place.cycle === null && place.generation !== null) return;
  const head = cycles.find(({ id }) => id === place.cycle) ?? cycles.at(-1);
  if (!head) return;
  const generation = head.id === place.cycle ? (place.generation ?? head.generation) : head.generation;
  if (head.id !== place.cycle || generation !== place.generation) {
    go({ ...place, cycle: head.id, generation, slot: generation === place.generation ? place.slot : null }, true);
  }
}

export function loadCycle(): Promise<void> {
  const { cycle: id } = get().place;
  if (id === null) return Promise.resolve(set({ cycle: null }));
  return latest("cycle", () => api.cycle(id), (cycle) => set({ cycle }));
}

/** Loads what changed since the last load. `isFresh`: the panel reads the folder again first. */
export const loadFiles = (isFresh = false) =>
  latest("files", () => contextApi.files(get().files?.cursor ?? "", isFresh), (view) => {
    set({ files: get().files?.after(view) ?? FileTable.of(view) });
  });

export function loadGeneration(): Promise<void> {
  const { generation: id } = get().place;
  if (id === null) return Promise.resolve(set({ generation: null, board: null }));
  return latest("generation", () => api.generation(id), (generation) => {
    set({ generation });
    const { place } = get();
    if (place.cycle !== generation.cycle) go({ ...place, cycle: generation.cycle }, true);
  });
}

export function loadBoard(): Promise<void> {
  const { generation: id } = get().place;
  if (id === null) return Promise.resolve();
  return latest("board", () => api.board(id), (board) => set({ board }));
}

export function loadSlot(): Promise<void> {
  const { generation, slot } = get().place;
  if (generation === null || slot === null) return Promise.resolve(set({ shown: null }));
  return latest("slot", () => api.slot(generation, slot), (view) => {
    const { shown } = get();
    const isSame =
      shown?.live.generation === generation &&
      shown.live.slot === slot &&
      shown.live.version === view.progress.version;
    const live = isSame ? shown.live : new LiveResponse(generation, slot, view.progress.version);
    live.thinking.append(0, view.thinking);
    live.text.append(0, view.text);
    set({ shown: { live, reading: view.reading } });
    if (!replay(live)) void loadSlot();
  });
}

/** Moves the window to a place and loads its content. */
export function go(place: Place, isQuiet = false): void {
  const before = get().place;
  const url = writePlace(place);
  if (url !== location.hash) history[isQuiet ? "replaceState" : "pushState"](null, "", url);
  set({ place });
  if (before.cycle !== place.cycle) {
    set({ cycle: null, meter: null });
    void loadCycle();
  }
  if (before.generation !== place.generation) {
    set({ generation: null, board: null, shown: null });
    void loadGeneration();
    void loadBoard();
  } else if (place.slot === null && before.slot !== null) {
    void loadBoard();
  }
  if (before.generation !== place.generation || before.slot !== place.slot) {
    set({ shown: null });
    void loadSlot();
  }
}

export const goTo = (slot: number | null) => go({ ...get().place, slot });
export const openPane = (pane: Pane, detail = "", isQuiet = false) => go({ ...get().place, pane, detail }, isQuiet);
export const closePane = () => go({ ...get().place, pane: null, detail: "" });
export const showFacet = (facet: Facet) => go({ ...get().place, facet }, true);

export function followAddress(): void {
  set({ place: readPlace(location.hash) });
  addEventListener("popstate", () => {
    go(readPlace(location.hash), true);
    settle();
  });
}

export function chooseCycle(id: number): void {
  const head = get().workspace?.cycles.find((cycle) => cycle.id === id);
  go({ ...NOWHERE, cycle: id, generation: head?.generation ?? null });
}

// Selecting is faster than saving: the last selection wins, and a failed save reverts to the stored one.
let wanted: ReadonlySet<string> | null = null;
let isKeeping = false;
const isSaving = () => wanted !== null || isKeeping;

export async function select(paths: ReadonlySet<string>): Promise<void> {
  let seen = get().selection;
  set({ selection: paths });
  wanted = paths;
  if (isKeeping) return;
  isKeeping = true;
  try {
    while (wanted !== null) {
      const keep: ReadonlySet<string> = wanted;
      wanted = null;
      // Only what was changed here is changed there: another window or a terminal may have selected files meanwhile.
      await api.select({ paths: [...keep].toSorted(), seen: [...seen].toSorted() });
      seen = keep;
    }
  } catch (error) {
    wanted = null;
    notifyError(errorBody(error));
  } finally {
    isKeeping = false;
    await loadWorkspace();
  }
}

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

export const stop = (slot: number) => onGeneration(`stop ${slot}`, (id) => api.stop(id, slot));
export const stopAll = () => onGeneration("stop", (id) => api.stopAll(id));
export const regenerate = (slot: number) => onGeneration(`regenerate ${slot}`, (id) => api.regenerate(id, { slots: [slot] }));

export const regenerateSlots = (slots: ReadonlyArray<number>) =>
  onGeneration("again", (id) => api.regenerate(id, { slots }));
/** Continues a response where it was cut off, as its next version. */
export const continueResponse = (slot: number) => onGeneration(`continue ${slot}`, (id) => api.continueResponse(id, slot));

function onGeneration(name: string, work: (id: number) => Promise<unknown>): Promise<unknown> {
  const { generation } = get().place;
  return generation === null
    ? Promise.resolve()
    : attempt(name, async () => {
        await work(generation);
        await Promise.all([loadGeneration(), loadSlot()]);
      });
}

export async function accept(
  slot: number,
  paths: ReadonlyArray<string>,
  dryRun: boolean,
  merge = false,
  confirmed: ReadonlyArray<string> = [],
): Promise<AcceptView | false> {
  const { generation } = get().place;
  if (generation === null) return false;
  const view = await attempt("accept", () => acceptApi.accept({ generation, slot, paths, merge, confirmed, dry_run: dryRun }));
  if (view && !dryRun) {
    const written = view.writes.filter(({ change }) => change !== "same").length;
    notify({ kind: "done", text: text.accept.written(written, slot) });
    await Promise.all([loadWorkspace(), loadFiles(), loadSlot(), loadBoard()]);
  }
  return view;
}

export async function restore(acceptance: number, dryRun: boolean, keepEdited = false, redo = false): Promise<RestoreView | false> {
  const view = await attempt("restore", () => api.restore({ acceptance, redo, dry_run: dryRun, keep_edited: keepEdited }));
  if (view && !dryRun) {
    notify({ kind: "done", text: redo ? text.accept.redone : text.accept.restored });
    await Promise.all([loadWorkspace(), loadFiles(), loadSlot(), loadBoard()]);
  }
  return view;
}
