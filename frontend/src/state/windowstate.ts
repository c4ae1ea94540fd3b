// State of a window beyond its address, such as view, sort order and unsaved text. It survives a reload and is not shared with other windows.

import { useState } from "react";

const PREFIX = "dce-window ";

export function stored<T>(name: string, initial: T): T {
  try {
    const value = sessionStorage.getItem(PREFIX + name);
    return value === null ? initial : (JSON.parse(value) as T);
  } catch {
    return initial; // the browser may forbid it: then the state lasts as long as the page
  }
}

export function store(name: string, value: unknown, initial: unknown): void {
  try {
    if (value === initial) sessionStorage.removeItem(PREFIX + name);
    else sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // As above, or the storage is full.
  }
}

/** useState for JSON values that survives a reload. `name` identifies the state: another name is another state. */
export function useWindowState<T>(name: string, initial: T): readonly [T, (value: T) => void] {
  const [held, hold] = useState(() => ({ name, value: stored(name, initial) }));
  const value = held.name === name ? held.value : stored(name, initial);
  const set = (next: T) => {
    store(name, next, initial);
    hold({ name, value: next });
  };
  return [value, set];
}
