// The project's checks: what they found on the responses and on the workspace, how far a run is, and what a person can do.

import { checksApi } from "../../api/checks";
import type { CheckReport, ChecksFileView, ChecksProgress, ChecksView, ResponseChecks } from "../../api/generated";
import { text } from "../../messages";
import { attempt, latest } from "../../state/attempt";
import { cell } from "../../state/cell";
import { get, notify, set } from "../../state/store";
import { loadBoard, loadWorkspace } from "../../state/window";
import { store, stored } from "../../state/windowstate";

/** The checks of the generation in view. */
export const checksOf = cell<ChecksView | null>(null);
/** The checks of the response in view, with their output. */
export const responseChecksOf = cell<{ readonly generation: number; readonly value: ResponseChecks } | null>(null);
/** `.dce/checks.toml`, and what its checks say of the workspace as it is. */
export const checksFileOf = cell<ChecksFileView | null>(null);
/** What came of checks that are not saved yet, with their text. */
export const triedOf = cell<{ readonly text: string; readonly report: CheckReport } | null>(null);

export function loadChecks(): Promise<void> {
  const { generation } = get().place;
  if (generation === null) return Promise.resolve(checksOf.set(null));
  return latest(
    "checks",
    () => checksApi.of(generation),
    (value) => {
      if (get().place.generation === generation) checksOf.set(value);
    },
  );
}

export const loadResponseChecks = (generation: number, slot: number): Promise<void> =>
  latest(
    "response checks",
    () => checksApi.ofResponse(generation, slot),
    (value) => {
      const { place } = get();
      if (place.generation === generation && place.slot === slot) responseChecksOf.set({ generation, value });
    },
  );

export const loadChecksFile = (): Promise<void> => latest("checks file", checksApi.file, checksFileOf.set);

let viewers = 0;

/** For as long as somebody looks at the results, they follow the files; each change costs the panel a look at all of them. */
export function watchChecks(): () => void {
  viewers += 1;
  void loadChecks();
  return () => {
    viewers -= 1;
  };
}
export const areChecksInView = () => viewers > 0;

/** Takes what the stream says of a run. */
export function progressed(progress: ChecksProgress): void {
  const view = checksOf.get();
  if (view?.generation === progress.generation) checksOf.set({ ...view, is_checking: true, progress });
}

/** Runs the checks on every response; `isFresh`: also where nothing has changed. */
export const runChecks = (isFresh = false) => onGeneration((generation) => checksApi.run(generation, isFresh));

/** Runs them on one response. */
export const runChecksOn = (slot: number, isFresh: boolean) =>
  onGeneration((generation) => checksApi.runOn(generation, slot, isFresh));

export const stopChecks = () =>
  attempt("stop checks", async () => {
    const { generation } = get().place;
    if (generation !== null) await checksApi.stop(generation);
    await loadChecks();
  });

function onGeneration(work: (generation: number) => ReturnType<typeof checksApi.run>): Promise<unknown> {
  const { generation } = get().place;
  if (generation === null) return Promise.resolve();
  return attempt("checks", async () => {
    try {
      const board = await work(generation);
      if (get().place.generation === generation) set({ board });
    } finally {
      await loadChecks();
    }
  });
}

/** Runs the checks on the workspace as it is: the saved ones, or those of an edited text. */
export const runOnWorkspace = (edited: string | null, isFresh: boolean) =>
  attempt("workspace checks", async () => {
    try {
      const { report } = await checksApi.runOnWorkspace({ text: edited, is_fresh: isFresh });
      const file = checksFileOf.get();
      if (report && edited !== null) triedOf.set({ text: edited, report });
      if (report && edited === null && file) checksFileOf.set({ ...file, report, failure: null });
      return report !== null;
    } finally {
      if (edited !== null || checksFileOf.get()?.report === null) await loadChecksFile();
    }
  });

export const stopOnWorkspace = () =>
  attempt("stop workspace checks", async () => checksFileOf.set(await checksApi.stopOnWorkspace()));

const DRAFT = "checks draft";

/** An edited text of `.dce/checks.toml`, and the file's text when the edit began. It survives a reload. */
export interface Draft {
  readonly text: string;
  readonly seen: string;
}

export const draftOf = cell<Draft | null>(stored<Draft | null>(DRAFT, null));

export function setDraft(draft: Draft | null): void {
  store(DRAFT, draft, null);
  draftOf.set(draft);
}

export const saveChecks = (edited: string, seen: string) =>
  attempt("save checks", async () => {
    checksFileOf.set(await checksApi.save({ text: edited, seen }));
    const draft = draftOf.get();
    // What was typed while the save ran is kept, as an edit of the saved text.
    if (draft) setDraft(draft.text === edited ? null : { text: draft.text, seen: edited });
    notify({ kind: "done", text: text.checks.savedNote });
    await Promise.all([loadWorkspace(), loadBoard(), loadChecks()]);
  });
