// The ranked table.

import { flags } from "../../../kit/messages/en/flags";
import { plural } from "../../../text/plural";
import { number, percent } from "../../../text/words";
import type { Verdict } from "../../state/verdict";

export const board = {
  view: "Board view",
  views: { table: "Table", behaviour: "Behaviour", checks: "Checks", files: "Files", likeness: "Similarity" },
  sortBy: "Sort by",
  orders: { best: "best first", total: "most tokens", answer: "longest answer" },
  hideRejected: (count: number) => `hide ${count} rejected`,
  noVerdict: "No response has usable files. Open one to see why, or to fix its answer.",
  recommended: (slot: number) => `Open response ${slot} (recommended)`,
  why: (verdict: Verdict, responses: number) => {
    const facts = [
      verdict.why,
      ...(verdict.readable < responses ? [`${noUsableFiles(responses - verdict.readable, responses)}.`] : []),
    ];
    const warning = verdict.flags.length > 0 ? [`Warning: ${verdict.flags.map(flags.name).join(", ")}.`] : [];
    return [...facts, ...warning].join(" ");
  },
  foldSame: (count: number) => `fold ${number(count)} identical`,
  same: (slots: ReadonlyArray<number>) => `= ${slots.join(", ")}`,
  sameTitle: (slots: ReadonlyArray<number>) =>
    `${slots.length === 1 ? "Response" : "Responses"} ${slots.join(", ")} ${slots.length === 1 ? "is" : "are"} identical`,
  accepted: "accepted",
  class: "Class",
  classTitle: "Responses of the same class behave alike on every probe",
  marks: { shortlisted: "shortlisted", rejected: "rejected" },
  rated: (stars: number) => `${stars === 1 ? "star" : "stars"} of 5`,
  noChanges: "No response changes a file.",
  file: "File",
  filesCaption: "In each row, responses with the same letter produce the same text of that file.",
  likenessCaption: "Share of changed lines that two responses have in common.",
  openSlot: (slot: number) => `Open response ${slot}`,
  touchedBy: (count: number, groups: number) =>
    `${plural(count, "response")}${count === 1 ? "" : groups === 1 ? ", identical" : `, ${groups} variants`}`,
  cell: (change: string, added: number, removed: number) => `${change}, +${added} −${removed}`,
  percent: (value: number) => percent(value / 100),
  response: "Response",
  progress: "Progress",
  files: "Files",
  checks: "Checks",
  group: "Group",
  groupTitle: "Responses with the same letter produce identical files",
  actions: "Actions",
  open: "Open response ",
  promptRead: ({ read, sent, is_exact: isExact }: { read: number; sent: number; is_exact: boolean }) =>
    `The server read ${number(read)} of ${isExact ? "" : "≈"}${number(sent)} tokens of the prompt.`,
  unreadable: "no files found",
  unchanged: "no changes",
  pass: (passed: number) => `${passed} passed`,
  fail: (failed: number, passed: number) => `${failed} failed, ${passed} passed`,
  fresh: (count: number) => `${number(count)} new`,
  failsAnyway: "fails anyway",
  gained: (count: number) => `${number(count)} gained`,
  flaky: (count: number) => `${number(count)} flaky`,
  facts: (facts: ReadonlyArray<string>) => facts.join(" · "),
  stale: "stale",
  openChecks: (slot: number) => `Open the checks of response ${slot}`,
  isNew: "new",
  isDeleted: "deleted",
  isRenamed: "renamed",
  isMode: "mode",
};

function noUsableFiles(count: number, responses: number): string {
  return `${count} of ${responses} ${count === 1 ? "has" : "have"} no usable files`;
}
