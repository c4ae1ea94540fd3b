// Notices about errors and finished actions: the hop, the fact, the next step.

import { Cross } from "../kit/icons";
import { text } from "../messages";
import { dismiss, use } from "../state/store";

export function Notices() {
  const notices = use((state) => state.notices);
  return (
    <div className="notices" role="log" aria-label={text.shell.messages}>
      {notices.map((notice) => (
        <div
          key={notice.id}
          className={`notice is-${notice.kind}`}
          role={notice.kind === "error" ? "alert" : undefined}
        >
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
