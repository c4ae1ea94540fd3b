// Notices about errors and finished actions: the hop, the fact, the next step.

import { dismiss, use } from "../state/store";
import { text } from "../text/messages";
import { Cross } from "./icons";

export function Notices() {
  const notices = use((state) => state.notices);
  return (
    <div className="notices" role="log" aria-label={text.shell.messages}>
      {notices.map((notice) => (
        <div key={notice.id} className={`notice is-${notice.kind}`} role={notice.kind === "error" ? "alert" : undefined}>
          <div>
            <p>
              {notice.hop && <span className="hop">{notice.hop}</span>}
              {notice.text}
            </p>
            {notice.hint && <p className="muted">{notice.hint}</p>}
          </div>
          <button type="button" className="quiet" aria-label={text.shell.dismiss} onClick={() => dismiss(notice.id)}>
            <Cross />
          </button>
        </div>
      ))}
    </div>
  );
}

/** An error shown where it belongs, instead of as a notice. */
export function ErrorLine({ error }: { error: { message: string; hop?: string; hint?: string } }) {
  return (
    <p className="error-line" role="alert">
      {error.hop && <span className="hop">{error.hop}</span>}
      {error.message}
      {error.hint && <span className="muted"> {error.hint}</span>}
    </p>
  );
}
