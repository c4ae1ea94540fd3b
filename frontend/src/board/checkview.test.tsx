// The checks of one response: what failed, by name and with its output; and what is not known is not said.

import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test } from "vitest";
import type { ResponseChecks } from "../api/generated";
import { text } from "../messages";
import { NOWHERE } from "../state/place";
import { set } from "../state/store";
import { panelWith } from "../testing/panel";
import { countOf, progressOf, reportOf, rowOf, runOf, workspaceOf } from "../testing/samples";
import { ResponseChecksPanel } from "./checkview";
import { checksOf, responseChecksOf } from "./state/checks";

/** The facet of response 1 with what the panel knows about its checks. */
function show(known: Partial<ResponseChecks>, isReadable = true) {
  const value: ResponseChecks = { slot: 1, version: 1, stale: "", report: null, ...known };
  const view = { generation: 1, is_checking: false, progress: null, failure: null, base: null, responses: [value] };
  const asked = panelWith({
    "GET /api/generations/1/checks": () => ({ gives: view }),
    "GET /api/generations/1/slots/1/checks": () => ({ gives: value }),
    "POST /api/generations/1/slots/1/checks": () => ({
      gives: { generation: 1, rows: [], judgements: [], is_checking: true },
    }),
  });
  checksOf.set(null);
  responseChecksOf.set(null);
  set({
    place: { ...NOWHERE, cycle: 1, generation: 1, slot: 1, facet: "checks" },
    workspace: workspaceOf(),
    board: null,
    busy: new Set(),
  });
  const row = rowOf({ checks: known.report ? countOf() : null, cluster: isReadable ? "A" : "" });
  render(<ResponseChecksPanel generation={1} progress={progressOf()} row={row} />);
  return asked;
}

test("a failure has its test's name and its output", async () => {
  const failing = runOf({
    ok: false,
    exit_code: 1,
    failed: 1,
    new_failures: 1,
    failures: ["tests/test_words.py::test_count"],
    newly_failing: ["tests/test_words.py::test_count"],
    output: "E   assert 2 == 3",
  });
  show({ report: reportOf([failing]) });
  expect(await screen.findByText(/test_words\.py::test_count/)).toBeTruthy();
  expect(screen.getByText(/assert 2 == 3/)).toBeTruthy();
  expect(screen.getByText(text.checks.kinds.new, { exact: false })).toBeTruthy();
});

test("an old verdict says why it is old, and can be renewed", async () => {
  const asked = show({ report: reportOf([runOf()]), stale: "workspace" });
  expect(await screen.findByText(text.checks.staleOne("workspace"))).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: text.checks.again }));
  expect(asked.map(({ what }) => what)).toContain("POST /api/generations/1/slots/1/checks");
});

test("without a verdict there is none: a response that can be checked offers it, another says why not", async () => {
  show({});
  expect(await screen.findByText(text.checks.noneYetOne)).toBeTruthy();
  expect(screen.getByRole("button", { name: text.checks.check })).toBeTruthy();
});

test("a response without files has nothing to check", async () => {
  show({}, false);
  expect(await screen.findByText(text.checks.noneFor)).toBeTruthy();
  expect(screen.queryByRole("button", { name: text.checks.check })).toBeNull();
});
