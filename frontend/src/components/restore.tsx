// What of a response is in the workspace now, and the way back.

import { useState } from "react";
import type { PlannedWrite } from "../api/generated";
import { restore } from "../state/actions";
import { use } from "../state/store";
import { plural } from "../text/words";
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
        {plural(acceptance.files.length, "file")} of response {acceptance.slot} (generation {acceptance.generation})
        {acceptance.files.length === 1 ? " is" : " are"} in the workspace.
      </p>
      <button type="button" disabled={isBusy} onClick={preview}>
        Restore…
      </button>
      <Dialog title="Put back what was there before" isOpen={writes !== null} onClose={() => setWrites(null)}>
        <WriteList writes={writes ?? []} />
        {isRefused && <p className="error-line">A file was edited since it was accepted, so nothing can be put back.</p>}
        <div className="row buttons">
          <button type="button" onClick={() => setWrites(null)}>
            Cancel
          </button>
          <button
            type="button"
            className="primary push"
            disabled={isRefused || isBusy}
            onClick={async () => {
              if (await restore(acceptance.id, false)) setWrites(null);
            }}
          >
            Restore {plural(acceptance.files.length, "file")}
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
          {write.refused && <span className="error-text">refused: {write.refused}</span>}
        </li>
      ))}
    </ul>
  );
}
