// History.

import { text } from "../text/messages";
import { PaneScreen } from "./pane";

export function HistoryScreen() {
  return (
    <PaneScreen title={text.shell.screens.history} className="history">
      <p className="empty">{text.shell.loading}</p>
    </PaneScreen>
  );
}
