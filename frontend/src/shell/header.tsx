// The top bar: workspace, model and server, connection to the panel, the other screens and the theme.

import { useEffect } from "react";
import { Rich } from "../kit/rich";
import { ThemeChoice } from "../kit/themechoice";
import { text } from "../messages";
import { use } from "../state/store";
import { closePane, openPane } from "../state/window";
import { isActive } from "../text/words";

const SCREENS = ["history", "settings"] as const;

export function Header({ onHelp }: { onHelp: () => void }) {
  const workspace = use((state) => state.workspace);
  const connection = use((state) => state.connection);
  const pane = use((state) => state.place.pane);
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
      {SCREENS.map((screen) => (
        <button
          key={screen}
          type="button"
          className="quiet"
          aria-pressed={pane === screen}
          onClick={() => (pane === screen ? closePane() : openPane(screen))}
        >
          {text.shell.screens[screen]}
        </button>
      ))}
      <ThemeChoice />
      <button type="button" className="quiet" onClick={onHelp} aria-label={text.shell.keysLabel} aria-keyshortcuts="?">
        ?
      </button>
    </header>
  );
}

/** Shown while the panel cannot watch the files or the store, so that what others change does not reach this page. */
export function Unwatched() {
  const problems = use((state) => state.workspace?.watch_problems);
  if (!problems?.length) return null;
  return (
    <p className="banner" role="status">
      {text.shell.unwatched(problems)}
    </p>
  );
}

/** Shown when the connection is closed for good; the page keeps its contents. */
export function Gone() {
  const connection = use((state) => state.connection);
  if (connection !== "closed") return null;
  return (
    <p className="banner is-error" role="alert">
      <Rich text={text.shell.gone} />
    </p>
  );
}
