// The cycle's text: saved as it is typed, never over another edit, and never lost.

import { act, fireEvent, render, screen } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";
import type { CycleEdit } from "../api/generated";
import { text } from "../messages";
import { perform } from "../state/offers";
import { NOWHERE } from "../state/place";
import { get, set } from "../state/store";
import { type Answer, panelWith } from "../testing/panel";
import { cycleOf, generationOf, progressOf, settingsOf, workspaceOf } from "../testing/samples";
import { CycleCard } from "./cycle";

let nextCycle = 1;
let id = 0;

beforeEach(() => {
  id = nextCycle++; // the draft of an earlier test belongs to another cycle
  vi.useFakeTimers({ shouldAdvanceTime: true });
});

const conflict = { message: "changed elsewhere", type: "t", code: "conflict", hop: "client", hint: "" };

/** The card of a cycle whose saved text is `context`. `onSave`: what the panel answers to an edit. */
async function show(context: string, onSave: (edit: CycleEdit) => Answer = stored) {
  const asked = panelWith({
    [`GET /api/cycles/${id}/prompt?text=no`]: () => ({ status: 500, error: conflict }),
    [`PUT /api/cycles/${id}`]: (body) => onSave(body as CycleEdit),
    [`GET /api/cycles/${id}`]: () => ({
      gives: { cycle: cycleOf({ id, rev: 7, context: "theirs" }), generations: [] },
    }),
    "POST /api/generations": () => ({ gives: generationOf([progressOf()]) }),
    "GET /api/generations/1": () => ({ gives: { ...generationOf([progressOf()]), cycle: id } }),
    "GET /api/generations/1/board": () => ({
      gives: { generation: 1, rows: [], judgements: [], is_checking: false },
    }),
    "GET /api/workspace": () => ({ gives: workspace }),
  });
  const head = { id, rev: 1, title: "", has_context: true, chosen_generation: null, chosen_slot: null, card: "" };
  const workspace = workspaceOf({ cycles: [{ ...head, updated_at: 0, generation: null }] });
  set({
    place: { ...NOWHERE, cycle: id },
    workspace,
    settings: settingsOf(),
    cycle: { cycle: cycleOf({ id, context }), generations: [] },
  });
  await act(async () => render(<CycleCard />));
  return asked;
}

const stored = ({ rev, context }: CycleEdit): Answer => ({
  gives: { cycle: cycleOf({ id, rev: rev + 1, context: context ?? "" }), generations: [] },
});
const field = () => screen.getByLabelText(text.cycle.context);
const type = (value: string) => fireEvent.change(field(), { target: { value } });
const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

test("a pause in typing saves the text once, with the revision that it was made from", async () => {
  const asked = await show("");
  type("Count w");
  type("Count words");
  expect(screen.getByText(text.cycle.saved.unsaved)).toBeTruthy();
  await pass(1_000);
  const edits = asked.filter(({ what }) => what === `PUT /api/cycles/${id}`);
  expect(edits.map(({ body }) => body)).toStrictEqual([{ rev: 1, title: "", context: "Count words", ephemeral: "" }]);
  expect(screen.getByText(text.cycle.saved.saved)).toBeTruthy();
});

test("an edit made elsewhere is not overwritten: the text stays, and a person chooses", async () => {
  await show("ours", () => ({ status: 409, error: conflict }));
  type("ours, longer");
  await pass(1_000);
  expect(screen.getByRole("alert").textContent).toContain(text.cycle.conflict);
  expect(field()).toHaveProperty("value", "ours, longer");
  await act(async () => fireEvent.click(screen.getByRole("button", { name: text.cycle.loadTheirs })));
  await pass(100);
  expect(field()).toHaveProperty("value", "theirs");
});

test("a text that cannot be saved says so, stays, and can be tried again", async () => {
  let isDown = true;
  vi.spyOn(console, "warn").mockImplementation(() => {});
  await show("", (edit) => (isDown ? { status: 503, error: { ...conflict, code: "internal" } } : stored(edit)));
  type("Count words");
  await pass(1_000);
  expect(screen.getByText(text.cycle.saved.failed)).toBeTruthy();
  isDown = false;
  await act(async () => fireEvent.click(screen.getByRole("button", { name: text.cycle.retry })));
  await pass(100);
  expect(screen.getByText(text.cycle.saved.saved)).toBeTruthy();
  expect(field()).toHaveProperty("value", "Count words");
});

test("Generate, also by its key, first saves what was typed", async () => {
  const asked = await show("");
  type("Count words");
  await act(async () => perform("generate"));
  await pass(100);
  const changes = asked.filter(({ what }) => !what.startsWith("GET"));
  expect(changes.map(({ what }) => what)).toStrictEqual([`PUT /api/cycles/${id}`, "POST /api/generations"]);
  expect(changes.at(-1)?.body).toStrictEqual({ cycle: id, n: 3 });
  expect(get().place.generation).toBe(1);
});
