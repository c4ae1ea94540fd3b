// What a window shows of a place beyond its address: which view, sorted how, what is being written. It is the window's own, and a reload keeps it.

import { useState } from "react";

const PREFIX = "dce-kept ";

export function kept<T>(name: string, initial: T): T {
  try {
    const value = sessionStorage.getItem(PREFIX + name);
    return value === null ? initial : (JSON.parse(value) as T);
  } catch {
    return initial; // a browser may forbid it: then it lasts as long as the page
  }
}

export function keep(name: string, value: unknown, initial: unknown): void {
  try {
    if (value === initial) sessionStorage.removeItem(PREFIX + name);
    else sessionStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // As above, or there is no room.
  }
}

/** As useState, for what can be written as JSON. `name` says of what it is the state; another name is another state. */
export function useKept<T>(name: string, initial: T): readonly [T, (value: T) => void] {
  const [held, hold] = useState(() => ({ name, value: kept(name, initial) }));
  const value = held.name === name ? held.value : kept(name, initial);
  const set = (next: T) => {
    keep(name, next, initial);
    hold({ name, value: next });
  };
  return [value, set];
}
