// The ranked table.

import type { Verdict } from "../../state/judging";
import { plural } from "../words";

export const board = {
  view: "View of the board",
  views: { table: "Table", files: "Who changes what", likeness: "Likeness" },
  sortBy: "Sorted by",
  orders: { best: "best first", total: "most tokens", answer: "longest answer" },
  hideRejected: (count: number) => `hide ${count} rejected`,
  noVerdict: "No response can be read as files. Open one to see why; its raw text can be put right by hand.",
  lookAt: (slot: number) => `Look at ${slot} first`,
  why: (verdict: Verdict, responses: number) =>
    [
      verdict.checks === "pass"
        ? `It passes ${verdict.passed} of ${plural(verdict.passed, "check")}`
        : verdict.checks === "fail"
          ? `It fails the fewest checks (${verdict.failed} of ${verdict.failed + verdict.passed})`
          : "No checks have run",
      verdict.agreeing > 0
        ? `${plural(verdict.agreeing, "other response")} ${verdict.agreeing === 1 ? "comes" : "come"} to the same files`
        : "no other response comes to the same files",
      ...(verdict.readable < responses ? [`${responses - verdict.readable} of ${responses} could not be read or change nothing`] : []),
      ...(verdict.flags.length > 0 ? [`mind: ${verdict.flags.map((flag) => flag.replaceAll("_", " ")).join(", ")}`] : []),
    ].join("; ") + ".",
  marks: { shortlisted: "shortlisted", rejected: "rejected" },
  rated: (stars: number) => `${stars === 1 ? "star" : "stars"} of 5`,
  noChanges: "No response changes a file.",
  file: "File",
  filesCaption: "Responses with the same letter in a row come to the same text of that file.",
  likenessCaption: "How much of what two responses change is the same, line by line.",
  openSlot: (slot: number) => `Open response ${slot}`,
  touchedBy: (count: number, groups: number) => `${count}× ${groups === 1 ? "alike" : `${groups} ways`}`,
  cell: (change: string, added: number, removed: number) => `${change}, +${added} −${removed}`,
  percent: (value: number) => `${value} %`,
  response: "Response",
  progress: "Progress",
  files: "Files",
  checks: "Checks",
  group: "Group",
  groupTitle: "Responses with the same letter lead to the same files",
  actions: "Actions",
  open: "Open response ",
  unreadable: "not readable as files",
  asInWorkspace: "as in the workspace",
  pass: (passed: number) => `${passed} pass`,
  fail: (failed: number, passed: number) => `${failed} fail, ${passed} pass`,
  fresh: (count: number) => ` (${count} new)`,
  isNew: "new",
  isDeleted: "deleted",
};
