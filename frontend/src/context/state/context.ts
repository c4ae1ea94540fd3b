// The selected files, their git status, and the file filter.

import { errorBody } from "../../api/client";
import { contextApi } from "../../api/context";
import type { DetailRequest, FindFilesRequest, SavedSelectionRequest, SelectionView } from "../../api/generated";
import { text } from "../../messages";
import { attempt } from "../../state/attempt";
import { cell } from "../../state/cell";
import type { FileTable } from "../../state/filetable";
import { notify, notifyError } from "../../state/store";
import { loadWorkspace } from "../../state/window";

export const chosenFiles = cell<SelectionView | null>(null);
export const gitChanges = cell<Readonly<Record<string, string>> | null>(null);

let turn = 0;

export async function loadSelection(): Promise<void> {
  const mine = ++turn;
  try {
    const view = await contextApi.selection();
    if (mine === turn) chosenFiles.set(view);
  } catch (error) {
    notifyError(errorBody(error));
  }
}

export async function loadGit(): Promise<void> {
  try {
    gitChanges.set((await contextApi.git()).changed);
  } catch (error) {
    notifyError(errorBody(error));
  }
}

/** Files changed: the git status is reloaded only if it is shown. */
export function refreshContext(): void {
  void loadSelection();
  if (gitChanges.get() !== null) void loadGit();
}

export const showDetail = (paths: ReadonlyArray<string>, detail: DetailRequest["detail"]) =>
  attempt("detail", async () => chosenFiles.set(await contextApi.show({ paths, detail })));

export const changeSet = (order: SavedSelectionRequest) =>
  attempt("sets", async () => {
    const view = await contextApi.changeSet(order);
    chosenFiles.set(view);
    if (view.missing.length > 0) notify({ kind: "error", text: text.context.setMissing(view.missing) });
    await loadWorkspace();
  });

export const findFiles = (order: FindFilesRequest) => attempt("find", async () => (await contextApi.find(order)).paths);

/** Which files the tree shows; an empty filter shows all. */
export interface Filter {
  readonly words: string;
  /** Search the content of files instead of their names. */
  readonly isContent: boolean;
  readonly only: "all" | "selected" | "changed";
  readonly minTokens: number;
}

export const NO_FILTER: Filter = { words: "", isContent: false, only: "all", minTokens: 0 };

interface Known {
  readonly selection: ReadonlySet<string>;
  readonly git: Readonly<Record<string, string>> | null;
  /** The files that contain the words; null while searching. */
  readonly holding: ReadonlySet<string> | null;
}

/** 1 for each file that matches; null if all do. */
export function matchesOf(table: FileTable, filter: Filter, known: Known): Uint8Array | null {
  const words = filter.isContent ? [] : filter.words.toLowerCase().split(/\s+/).filter(Boolean);
  const isContent = filter.isContent && filter.words.trim() !== "";
  if (words.length === 0 && !isContent && filter.only === "all" && filter.minTokens === 0) return null;
  return Uint8Array.from(table.paths, (path, at) => {
    if (filter.only === "selected" && !known.selection.has(path)) return 0;
    if (filter.only === "changed" && known.git?.[path] === undefined) return 0;
    if ((table.tokens[at] ?? 0) < filter.minTokens) return 0;
    if (isContent && !known.holding?.has(path)) return 0;
    const low = words.length > 0 ? path.toLowerCase() : "";
    return Number(words.every((word) => low.includes(word)));
  });
}
