// What the window shows: moving to a place, and loading what it shows there. Errors end in a notice; nothing here throws.

import { api } from "../api/client";
import { contextApi } from "../api/context";
import { latest } from "./attempt";
import { FileTable } from "./filetable";
import { replay } from "./growth";
import { LiveResponse } from "./livetext";
import { type Facet, NOWHERE, type Pane, type Place, readPlace, writePlace } from "./place";
import { get, set } from "./store";

export const loadWorkspace = () =>
  latest("workspace", api.workspace, (workspace) => {
    const { selection, isSelecting } = get();
    set({ workspace, selection: isSelecting ? selection : new Set(workspace.selection) });
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
  return latest(
    "cycle",
    () => api.cycle(id),
    (cycle) => set({ cycle }),
  );
}

/** Loads what changed since the last load. `isFresh`: the panel reads the folder again first. */
export const loadFiles = (isFresh = false) =>
  latest(
    "files",
    () => contextApi.files(get().files?.cursor ?? "", isFresh),
    (view) => {
      set({ files: get().files?.after(view) ?? FileTable.of(view) });
    },
  );

export function loadGeneration(): Promise<void> {
  const { generation: id } = get().place;
  if (id === null) return Promise.resolve(set({ generation: null, board: null }));
  return latest(
    "generation",
    () => api.generation(id),
    (generation) => {
      set({ generation });
      const { place } = get();
      if (place.cycle !== generation.cycle) go({ ...place, cycle: generation.cycle }, true);
    },
  );
}

export function loadBoard(): Promise<void> {
  const { generation: id } = get().place;
  if (id === null) return Promise.resolve();
  return latest(
    "board",
    () => api.board(id),
    (board) => set({ board }),
  );
}

export function loadSlot(): Promise<void> {
  const { generation, slot } = get().place;
  if (generation === null || slot === null) return Promise.resolve(set({ shown: null }));
  return latest(
    "slot",
    () => api.slot(generation, slot),
    (view) => {
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
    },
  );
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
