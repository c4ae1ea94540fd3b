// The theme, stored per browser. `system` follows the system, including its contrast preference.

import { useSyncExternalStore } from "react";

export const THEMES = ["system", "light", "dark", "contrast", "vscode"] as const;
export type Theme = (typeof THEMES)[number];

const KEY = "dce.theme";
const CONTRAST = matchMedia("(prefers-contrast: more)");
const listeners = new Set<() => void>();

/** VS Code passes its colours to the pages it shows as CSS variables. */
export const isInVSCode = (): boolean =>
  getComputedStyle(document.documentElement).getPropertyValue("--vscode-editor-background") !== "";

function kept(): Theme {
  let value: string | null = null;
  try {
    value = localStorage.getItem(KEY);
  } catch {
    // The browser may forbid it: then the choice lasts as long as the page.
  }
  return THEMES.find((theme) => theme === value) ?? "system";
}

let chosen = kept();

function apply(): void {
  const root = document.documentElement;
  const inCode = isInVSCode();
  const theme = chosen === "system" ? (inCode ? "vscode" : CONTRAST.matches ? "contrast" : "system") : chosen;
  if (theme === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
  root.dataset["light"] = document.body.className.includes("light") ? "light" : "dark";
}

export function chooseTheme(theme: Theme): void {
  chosen = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // As above.
  }
  apply();
  for (const listener of listeners) listener();
}

/** Applies the theme, and follows the system and the browser's other windows from then on. */
export function startTheme(): void {
  apply();
  CONTRAST.addEventListener("change", apply);
  addEventListener("storage", ({ key }) => {
    if (key !== KEY) return;
    chosen = kept();
    apply();
    for (const listener of listeners) listener();
  });
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};
export const useTheme = (): Theme => useSyncExternalStore(subscribe, () => chosen);
