// A preview of the files that would be written or restored, with the button that does it. Everything that changes files goes through it.

import type { ReactNode } from "react";
import type { PlannedWrite } from "../api/generated";
import { Dialog } from "../kit/dialog";
import { Flag } from "../kit/flag";
import { Lines } from "../kit/lines";
import { text } from "../messages";
import { use } from "../state/store";

interface Props {
  title: string;
  /** null: the dialog is closed. */
  writes: ReadonlyArray<PlannedWrite> | null;
  /** What to do about files that are refused. */
  refusal: string;
  /** The other files are written anyway. */
  isPartial?: boolean;
  action: string;
  onWrite: () => void;
  onClose: () => void;
  /** Ticked by the user: a doubtful file that is written as it is. */
  onConfirm?: (path: string, isConfirmed: boolean) => void;
  confirmed?: ReadonlyArray<string>;
  children?: ReactNode;
}

export function WriteDialog(props: Props) {
  const {
    title,
    writes,
    refusal,
    isPartial = false,
    action,
    onWrite,
    onClose,
    onConfirm,
    confirmed = [],
    children,
  } = props;
  const isBusy = use((state) => state.busy.has("accept") || state.busy.has("restore"));
  const isRefused = writes?.some((write) => write.refused) ?? false;
  return (
    <Dialog title={title} isOpen={writes !== null} onClose={onClose}>
      {children}
      <ul className="writes">
        {(writes ?? []).map((write) => (
          <li key={write.path} className={write.refused ? "is-refused" : ""}>
            <span className="path">{write.path}</span>
            {write.written_path && <span className="muted">{text.review.readFrom(write.written_path)}</span>}
            {write.change !== "same" && write.doubts.map((flag) => <Flag key={flag} flag={flag} />)}
            {write.merged && <span className="badge">{text.accept.merged}</span>}
            {write.from_path && <span className="muted">{text.accept.renamedFrom(write.from_path)}</span>}
            {write.executable !== null && <span className="badge">{text.accept.executable(write.executable)}</span>}
            <Lines change={write.change} added={write.added} removed={write.removed} />
            {onConfirm && (write.is_blocked || confirmed.includes(write.path)) && (
              <label className="row">
                <input
                  type="checkbox"
                  checked={confirmed.includes(write.path)}
                  onChange={(event) => onConfirm(write.path, event.target.checked)}
                />
                {text.accept.confirm}
              </label>
            )}
            {(write.flags ?? []).map((flag) => (
              <span key={flag} className="flag" title={text.flags.meaning(flag)}>
                {text.flags.name(flag)}
              </span>
            ))}
            {write.refused && <span className="error-text">{text.accept.refused(write.refused)}</span>}
          </li>
        ))}
      </ul>
      {isRefused && <p className="error-line">{refusal}</p>}
      <div className="row buttons">
        <button type="button" onClick={onClose}>
          {text.shell.cancel}
        </button>
        <button type="button" className="primary push" disabled={(isRefused && !isPartial) || isBusy} onClick={onWrite}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
