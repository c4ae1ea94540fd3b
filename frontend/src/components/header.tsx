// The top line: which workspace, which gateway, whether this window is in touch with the panel.

import { useEffect } from "react";
import { isActive } from "../text/words";
import { use } from "../state/store";
import { text } from "../text/messages";
import { Rich } from "./rich";

export function Header({ onHelp }: { onHelp: () => void }) {
  const workspace = use((state) => state.workspace);
  const connection = use((state) => state.connection);
  const running = use((state) => state.generation?.slots.filter(isActive).length ?? 0);
  const name = workspace?.name;
  useEffect(() => {
    document.title = `${running > 0 ? `(${running}) ` : ""}${name ? `${name} · ` : ""}${text.shell.product}`;
  }, [name, running]);
  return (
    <header className="top">
      <span className="logo" aria-hidden="true">
        {text.shell.product}
      </span>
      <h1 title={workspace?.root}>{workspace?.name ?? text.shell.product}</h1>
      {workspace && (
        <span className="muted gateway" title={text.shell.gatewayTitle}>
          {text.shell.gateway(workspace.model ?? text.shell.defaultModel, workspace.url.replace(/^https?:\/\//, ""))}
        </span>
      )}
      <span className={`connection is-${connection}`} role="status">
        {text.shell.connection[connection]}
      </span>
      <button type="button" className="quiet" onClick={onHelp} aria-label={text.shell.keysLabel} aria-keyshortcuts="?">
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
      <Rich text={text.shell.gone} />
    </p>
  );
}
