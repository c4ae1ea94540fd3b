// The picks of a response in the panel's notation: `2` is hunk 2, `2:1,3` its first and third changed lines.

import type { FilePlan, Hunk } from "../../api/generated";

export type Plan = ReadonlyArray<FilePlan>;

/** The picks in one file of one response: all, none, or changed lines by hunk. */
export type Picked = "all" | "none" | ReadonlyMap<number, ReadonlySet<number>>;

export const changedLines = (hunk: Hunk): ReadonlyArray<number> =>
  hunk.lines.filter((line) => line.number > 0).map((line) => line.number);

export function pickedOf(plan: Plan, path: string, slot: number, hunks: ReadonlyArray<Hunk>): Picked {
  const pick = plan.find((file) => file.path === path)?.picks.find((each) => each.slot === slot);
  if (!pick) return "none";
  const words = pick.hunks ?? [];
  if (words.length === 0) return "all";
  const found = new Map<number, ReadonlySet<number>>();
  for (const word of words) {
    const [number = "", lines] = word.split(":");
    const hunk = hunks.find((each) => each.number === Number(number));
    if (hunk) found.set(hunk.number, new Set(lines === undefined ? changedLines(hunk) : lines.split(",").map(Number)));
  }
  return found;
}

/** The plan with these picks in one file of one response. All hunks together are the whole file. */
export function withPicked(
  plan: Plan,
  path: string,
  slot: number,
  picked: Picked,
  hunks: ReadonlyArray<Hunk>,
): FilePlan[] {
  const words = wordsOf(picked, hunks);
  const before = plan.find((file) => file.path === path);
  const others = (before?.picks ?? []).filter((pick) => pick.slot !== slot);
  const at = (before?.picks ?? []).findIndex((pick) => pick.slot === slot);
  const mine = words === null ? [] : [{ slot, hunks: words }];
  const picks = at < 0 ? [...others, ...mine] : [...others.slice(0, at), ...mine, ...others.slice(at)];
  // Earlier decisions belong to conflicts that no longer exist.
  const file: FilePlan = { path, picks, choices: [] };
  if (before) return plan.flatMap((each) => (each.path === path ? (picks.length > 0 ? [file] : []) : [each]));
  return picks.length > 0 ? [...plan, file] : [...plan];
}

/** null: nothing is picked; []: everything is. */
function wordsOf(picked: Picked, hunks: ReadonlyArray<Hunk>): string[] | null {
  if (picked === "none") return null;
  if (picked === "all") return [];
  const words: string[] = [];
  let isWhole = true;
  for (const hunk of hunks) {
    const wanted = picked.get(hunk.number);
    const all = changedLines(hunk);
    if (!wanted || wanted.size === 0) isWhole = false;
    else if (wanted.size === all.length) words.push(String(hunk.number));
    else {
      words.push(`${hunk.number}:${all.filter((line) => wanted.has(line)).join(",")}`);
      isWhole = false;
    }
  }
  if (words.length === 0) return null;
  return isWhole ? [] : words;
}

export function withChoice(plan: Plan, path: string, index: number, side: "first" | "second" | "both"): FilePlan[] {
  return plan.map((file) => {
    if (file.path !== path) return file;
    const choices = Array.from({ length: Math.max(index + 1, file.choices?.length ?? 0) }, (_, at) =>
      at === index ? side : (file.choices?.[at] ?? ""),
    );
    return { ...file, choices };
  });
}
