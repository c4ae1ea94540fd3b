// Settings.

import { text } from "../text/messages";
import { PaneScreen } from "./pane";

export function SettingsScreen() {
  return (
    <PaneScreen title={text.shell.screens.settings} className="settings">
      <p className="empty">{text.shell.loading}</p>
    </PaneScreen>
  );
}
