// Numbers and times formatted for people.

import type { Count, SlotProgress, Tokens } from "../api/generated";
import { language } from "./language";

const grouped = new Intl.NumberFormat(language);
const short = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });

export const percent = (share: number) => `${share > 0 && share < 0.01 ? "<1" : Math.round(share * 100)}%`;
export const number = (value: number) => grouped.format(value);

/** Tokens; an estimate is marked. */
export const tokensShort = (count: Count) =>
  (count.exact ? "" : "~") + (count.tokens < 10_000 ? number : short.format)(count.tokens);

export const tokensOf = (tokens: Tokens) => (tokens.exact ? "" : "≈") + number(tokens.thinking + tokens.answer);

export const seconds = (value: number | null) =>
  value === null
    ? ""
    : value < 100
      ? `${value.toFixed(1)} s`
      : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;

/** Tokens per second; null if the time was too short to measure. */
export const rate = (value: number | null) =>
  value === null ? "–" : `${value < 10 ? value.toFixed(1) : Math.round(value)} tok/s`;

/** A time, with the date unless it is today. */
export const moment = (time: number) => {
  const date = new Date(time * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  return date.toLocaleString([], { ...(isToday ? {} : { dateStyle: "medium" }), timeStyle: "short" });
};

export const clock = (time: number) =>
  new Date(time * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

const ACTIVE = new Set(["queued", "connecting", "waiting", "thinking", "generating"]);
export const isActive = (slot: Pick<SlotProgress, "status">) => ACTIVE.has(slot.status);
