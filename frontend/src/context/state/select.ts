// Selecting files: the selection shows at once and is saved behind it.

import { api, errorBody } from "../../api/client";
import { get, notifyError, set } from "../../state/store";
import { loadWorkspace } from "../../state/window";

// Selecting is faster than saving: the last selection wins, and a failed save reverts to the stored one.
let wanted: ReadonlySet<string> | null = null;

export async function select(paths: ReadonlySet<string>): Promise<void> {
  let seen = get().selection;
  set({ selection: paths });
  wanted = paths;
  if (get().isSelecting) return;
  set({ isSelecting: true });
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
    set({ isSelecting: false });
    await loadWorkspace();
  }
}
