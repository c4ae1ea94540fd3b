// The top line: which workspace, which gateway, whether this window is in touch with the panel.

import { useEffect } from "react";
import { isActive } from "../text/words";
import { use, type Connection } from "../state/store";

const CONNECTION: Readonly<Record<Connection, string>> = {
  connecting: "Connecting…",
  live: "Live",
  lost: "Reconnecting…",
  closed: "Disconnected",
};

export function Header({ onHelp }: { onHelp: () => void }) {
  const workspace = use((state) => state.workspace);
  const connection = use((state) => state.connection);
  const running = use((state) => state.generation?.slots.filter(isActive).length ?? 0);
  const name = workspace?.name;
  useEffect(() => {
    document.title = `${running > 0 ? `(${running}) ` : ""}${name ? `${name} · ` : ""}DCE`;
  }, [name, running]);
  return (
    <header className="top">
      <span className="logo" aria-hidden="true">
        DCE
      </span>
      <h1 title={workspace?.root}>{workspace?.name ?? "DCE"}</h1>
      {workspace && (
        <span className="muted gateway" title="The gateway, and the model asked for">
          {workspace.model ?? "default model"} at {workspace.url.replace(/^https?:\/\//, "")}
        </span>
      )}
      <span className={`connection is-${connection}`} role="status">
        {CONNECTION[connection]}
      </span>
      <button type="button" className="quiet" onClick={onHelp} aria-label="Help: keys" aria-keyshortcuts="?">
        ?
      </button>
    </header>
  );
}

/** Told once the panel is gone for good: the page keeps what it shows. */
export function Gone() {
  const connection = use((state) => state.connection);
  if (connection !== "closed") return null;
  return (
    <p className="banner is-error" role="alert">
      <strong>The panel does not answer.</strong> What you see may be out of date. If it was stopped, run{" "}
      <code>dce panel</code> again and open its new link; this page tries to reconnect by itself.
    </p>
  );
}
