// A host's privacy notice.

import { useState } from "react";
import { api } from "../api/client";
import type { HostView } from "../api/generated";
import { text } from "../messages";
import { attempt } from "../state/attempt";
import { use } from "../state/store";

export function HostNotice({ host: shown }: { host: HostView }) {
  const cycle = use((state) => state.place.cycle);
  const [fetched, setFetched] = useState<HostView | null>(null);
  const host = shown.notice === null && fetched?.host === shown.host ? fetched : shown;
  // Nobody has agreed to this host yet, so it was not asked: the first request to it is the person's own decision.
  if (host.notice === null)
    return (
      <button
        type="button"
        className="small"
        onClick={() => cycle !== null && attempt("notice", async () => setFetched(await api.notice(cycle)))}
      >
        {text.settings.fetchNotice(host.host)}
      </button>
    );
  return (
    <>
      {host.notice ? (
        <details className="notice-text">
          <summary>{text.settings.notice(host.host)}</summary>
          <pre className="file-text">{host.notice}</pre>
        </details>
      ) : (
        host.provider !== "manual" && <p className="muted">{text.settings.noNotice}</p>
      )}
    </>
  );
}
