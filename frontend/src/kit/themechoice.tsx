// The choice of the theme.

import { text } from "../messages";
import { chooseTheme, isInVSCode, THEMES, type Theme, useTheme } from "./theme";

export function ThemeChoice() {
  const theme = useTheme();
  const themes = THEMES.filter((each) => each !== "vscode" || theme === "vscode" || isInVSCode());
  return (
    <select
      className="theme"
      aria-label={text.shell.theme}
      title={text.shell.theme}
      value={theme}
      onChange={(event) => chooseTheme(event.target.value as Theme)}
    >
      {themes.map((each) => (
        <option key={each} value={each}>
          {text.shell.themes[each]}
        </option>
      ))}
    </select>
  );
}
