// Writing files of a response into the workspace, and restoring what was there.

import { acceptApi } from "../../api/accept";
import { api } from "../../api/client";
import type { AcceptView, RestoreView } from "../../api/generated";
import { text } from "../../messages";
import { attempt } from "../../state/attempt";
import { get, notify } from "../../state/store";
import { loadBoard, loadFiles, loadSlot, loadWorkspace } from "../../state/window";

export async function accept(
  slot: number,
  paths: ReadonlyArray<string>,
  dryRun: boolean,
  merge = false,
  confirmed: ReadonlyArray<string> = [],
): Promise<AcceptView | false> {
  const { generation } = get().place;
  if (generation === null) return false;
  const view = await attempt("accept", () =>
    acceptApi.accept({ generation, slot, paths, merge, confirmed, dry_run: dryRun }),
  );
  if (view && !dryRun) {
    const written = view.writes.filter(({ change }) => change !== "same").length;
    notify({ kind: "done", text: text.accept.written(written, slot) });
    await Promise.all([loadWorkspace(), loadFiles(), loadSlot(), loadBoard()]);
  }
  return view;
}

export async function restore(
  acceptance: number,
  dryRun: boolean,
  keepEdited = false,
  redo = false,
): Promise<RestoreView | false> {
  const view = await attempt("restore", () =>
    api.restore({ acceptance, redo, dry_run: dryRun, keep_edited: keepEdited }),
  );
  if (view && !dryRun) {
    notify({ kind: "done", text: redo ? text.accept.redone : text.accept.restored });
    await Promise.all([loadWorkspace(), loadFiles(), loadSlot(), loadBoard()]);
  }
  return view;
}
