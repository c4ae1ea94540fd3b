// What of a response is in the workspace now, and the way back.

import { useState } from "react";
import type { PlannedWrite } from "../api/generated";
import { restore } from "../state/actions";
import { use } from "../state/store";
import { text } from "../text/messages";
import { Lines } from "./board";
import { Dialog } from "./dialog";

export function RestoreBar() {
  const acceptance = use((state) => state.workspace?.restorable ?? null);
  const isBusy = use((state) => state.busy.has("restore"));
  const [writes, setWrites] = useState<ReadonlyArray<PlannedWrite> | null>(null);
  if (!acceptance) return null;
  const preview = async () => {
    const view = await restore(acceptance.id, true);
    if (view) setWrites(view.writes);
  };
  const isRefused = writes?.some((write) => write.refused) ?? false;
  return (
    <div className="banner is-accepted">
      <p>
        {text.accept.inWorkspace(acceptance.files.length, acceptance.slot, acceptance.generation)}
      </p>
      <button type="button" id="restore" disabled={isBusy} onClick={preview}>
        {text.accept.restore}
      </button>
      <Dialog title={text.accept.restoreTitle} isOpen={writes !== null} onClose={() => setWrites(null)}>
        <WriteList writes={writes ?? []} />
        {isRefused && <p className="error-line">{text.accept.edited}</p>}
        <div className="row buttons">
          <button type="button" onClick={() => setWrites(null)}>
            {text.shell.cancel}
          </button>
          <button
            type="button"
            className="primary push"
            disabled={isRefused || isBusy}
            onClick={async () => {
              if (await restore(acceptance.id, false)) setWrites(null);
            }}
          >
            {text.accept.restoreFiles(acceptance.files.length)}
          </button>
        </div>
      </Dialog>
    </div>
  );
}

/** What would happen to each file. */
export function WriteList({ writes }: { writes: ReadonlyArray<PlannedWrite> }) {
  return (
    <ul className="writes">
      {writes.map((write) => (
        <li key={write.path} className={write.refused ? "is-refused" : ""}>
          <span className="path">{write.path}</span>
          <Lines change={write.change} added={write.added} removed={write.removed} />
          {write.refused && <span className="error-text">{text.accept.refused(write.refused)}</span>}
        </li>
      ))}
    </ul>
  );
}
