// Which files of which response are in the workspace, and Restore: for the latest acceptance and for earlier ones.

import { useState } from "react";
import type { Acceptance, RestoreView } from "../api/generated";
import { text } from "../messages";
import { use } from "../state/store";
import { moment } from "../text/words";
import { restore } from "./state/writing";
import { WriteDialog } from "./writes";

export function RestoreBar() {
  const acceptance = use((state) => state.workspace?.restorable ?? null);
  if (!acceptance) return null;
  const { git } = acceptance;
  return (
    <div className="banner is-accepted">
      <p>
        {text.accept.inWorkspace(acceptance.files.length, acceptance.slot, acceptance.generation)}{" "}
        <span className="muted">{text.accept.since(moment(acceptance.created_at), git.ref)}</span>
      </p>
      <Restore acceptance={acceptance} id="restore" />
    </div>
  );
}

/** The button that restores an acceptance, after a preview. */
export function Restore({ acceptance, id, isRedo = false }: { acceptance: Acceptance; id?: string; isRedo?: boolean }) {
  const isBusy = use((state) => state.busy.has("restore"));
  const [view, setView] = useState<RestoreView | null>(null);
  const writes = view?.writes ?? null;
  const [isKeeping, keep] = useState(false);
  const close = () => (setView(null), keep(false));
  const edited = writes?.filter((write) => write.refused).length ?? 0;
  const canKeep = edited > 0 && edited < acceptance.files.length;
  return (
    <>
      <button
        type="button"
        id={id}
        disabled={isBusy}
        onClick={async () => {
          const found = await restore(acceptance.id, true, false, isRedo);
          if (found) setView(found);
        }}
      >
        {isRedo ? text.accept.redo : text.accept.restore}
      </button>
      <WriteDialog
        title={isRedo ? text.accept.redoTitle : text.accept.restoreTitle}
        writes={writes}
        refusal={text.accept.edited}
        isPartial={isKeeping}
        action={(isRedo ? text.accept.redoFiles : text.accept.restoreFiles)(
          acceptance.files.length - (isKeeping ? edited : 0),
        )}
        onClose={close}
        onWrite={async () => {
          if (await restore(acceptance.id, false, isKeeping, isRedo)) close();
        }}
      >
        {view && !isRedo && !view.is_last && <p className="banner">{text.accept.older}</p>}
        {view && !isRedo && view.committed.length > 0 && (
          <p className="banner">{text.accept.committed(view.committed.length)}</p>
        )}
        {canKeep && (
          <label className="row">
            <input type="checkbox" checked={isKeeping} onChange={(event) => keep(event.target.checked)} />
            {text.accept.keepEdited}
          </label>
        )}
      </WriteDialog>
    </>
  );
}
