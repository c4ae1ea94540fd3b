// The window's state: one immutable value, replaced as snapshots and events arrive. Components read slices of it.
//
// Events may arrive a hundred times a second; listeners are notified at most once a frame.

import { useSyncExternalStore } from "react";
import type {
  BoardView,
  CycleView,
  DiagnosisView,
  ErrorBody,
  GenerationView,
  HopView,
  PromptView,
  ReadingView,
  SettingsView,
  WorkspaceView,
} from "../api/generated";
import type { FileTable } from "./filetable";
import type { LiveResponse } from "./livetext";
import { NOWHERE, type Place } from "./place";
import type { Link } from "./shared";

export interface Notice {
  readonly id: number;
  readonly kind: "done" | "error";
  readonly text: string;
  readonly hop?: string;
  readonly hint?: string;
}

/** The response in view. */
export interface Shown {
  readonly live: LiveResponse;
  readonly reading: ReadingView | null;
}

export interface Examination {
  readonly run: string;
  readonly lines: ReadonlyArray<HopView>;
  /** null while it runs. */
  readonly verdict: DiagnosisView | null;
}

export interface State {
  readonly connection: Link;
  readonly workspace: WorkspaceView | null;
  readonly files: FileTable | null;
  /** The selection as shown; ahead of `workspace.selection` while it is being saved. */
  readonly selection: ReadonlySet<string>;
  /** The selection is being saved. */
  readonly isSelecting: boolean;
  /** The current cycle, with its texts and generations. */
  readonly cycle: CycleView | null;
  /** The size of its prompt. */
  readonly meter: PromptView | null;
  readonly generation: GenerationView | null;
  readonly board: BoardView | null;
  readonly shown: Shown | null;
  readonly settings: SettingsView | null;
  /** The doctor's results so far. */
  readonly examination: Examination | null;
  /** The generation that waits for the curator to agree to what would be sent. */
  readonly gate: { readonly cycle: number; readonly n: number } | null;
  readonly place: Place;
  readonly notices: ReadonlyArray<Notice>;
  readonly busy: ReadonlySet<string>;
}

let state: State = {
  connection: "connecting",
  workspace: null,
  files: null,
  selection: new Set(),
  isSelecting: false,
  cycle: null,
  meter: null,
  generation: null,
  board: null,
  shown: null,
  settings: null,
  examination: null,
  gate: null,
  place: NOWHERE,
  notices: [],
  busy: new Set(),
};
const listeners = new Set<() => void>();
let isScheduled = false;

export const get = (): State => state;

export function set(change: Partial<State>): void {
  state = { ...state, ...change };
  if (isScheduled) return;
  isScheduled = true;
  // A hidden window gets no frames, so a timer keeps it up to date.
  const tell = () => {
    isScheduled = false;
    for (const listener of listeners) listener();
  };
  if (document.hidden) setTimeout(tell, 200);
  else requestAnimationFrame(tell);
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** A slice of the state; the component renders again when it changes by identity. */
export function use<T>(slice: (state: State) => T): T {
  return useSyncExternalStore(subscribe, () => slice(state));
}

let lastNotice = 0;
const DONE_NOTICE_MS = 6_000;

export function notify(notice: Omit<Notice, "id">): void {
  const id = ++lastNotice;
  set({ notices: [...state.notices.slice(-3), { ...notice, id }] });
  if (notice.kind === "done") setTimeout(() => dismiss(id), DONE_NOTICE_MS);
}

export function notifyError(error: ErrorBody): void {
  // That the panel does not respond is shown once, at the top of the page.
  const isGone = state.connection === "closed" && ["forbidden", "panel_unreachable"].includes(error.code);
  if (isGone || state.notices.some((notice) => notice.text === error.message)) return;
  notify({ kind: "error", text: error.message, hop: error.hop ?? "", hint: error.hint ?? "" });
}

export function dismiss(id: number): void {
  set({ notices: state.notices.filter((notice) => notice.id !== id) });
}
