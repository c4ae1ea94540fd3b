// The diff of a response: which file against which side, and what is said when there is no text to compare.

import { fireEvent, render, screen, waitFor } from "@testing-library/react";
import { expect, test } from "vitest";
import type { DiffView } from "../api/generated";
import { text } from "../messages";
import { panelWith } from "../testing/panel";
import { fileOf, generationOf, progressOf } from "../testing/samples";
import { Diff } from "./diff";

const view = (change: Partial<DiffView> = {}): { gives: DiffView } => ({
  gives: {
    path: "a.py",
    before: "one\ntwo\n",
    after: "one\nthree\n",
    before_kind: "workspace",
    before_slot: 0,
    after_slot: 1,
    action: "write",
    from_path: "",
    ...change,
  },
});

const at = (path: string, against: string) => `GET /api/generations/1/slots/1/diff?path=${path}&against=${against}`;

const show = (...paths: ReadonlyArray<string>) =>
  render(
    <Diff
      generation={generationOf([progressOf(), progressOf({ slot: 2 })])}
      slot={1}
      files={paths.map((path) => fileOf(path))}
    />,
  );

test("the first changed file is compared with the current file, and shows what was and what comes", async () => {
  const asked = panelWith({ [at("a.py", "workspace")]: () => view() });
  const { container } = show("a.py");
  expect(
    await screen.findByText(text.review.fromTo(text.review.side("workspace", 0), text.review.side("response", 1)), {
      exact: false,
    }),
  ).toBeTruthy();
  await waitFor(() => expect(container.textContent).toContain("three"));
  expect(container.textContent).toContain("two");
  expect(asked.map(({ what }) => what)).toStrictEqual([at("a.py", "workspace")]);
});

test("another file and another side are asked for, and kept for a reload", async () => {
  const asked = panelWith({
    [at("a.py", "workspace")]: () => view(),
    [at("b.py", "workspace")]: () => view({ path: "b.py", before: null }),
    [at("b.py", "2")]: () => view({ path: "b.py", before_kind: "response", before_slot: 2, after: null }),
  });
  const { unmount } = show("a.py", "b.py");
  fireEvent.change(screen.getByLabelText(text.review.file), { target: { value: "b.py" } });
  expect(await screen.findByText(text.review.isNew("workspace", 0), { exact: false })).toBeTruthy();
  fireEvent.change(screen.getByLabelText(text.review.against), { target: { value: "2" } });
  expect(await screen.findByText(text.review.isMissing(1), { exact: false })).toBeTruthy();
  unmount();
  show("a.py", "b.py");
  expect(await screen.findByText(text.review.isMissing(1), { exact: false })).toBeTruthy();
  expect(asked.at(-1)?.what).toBe(at("b.py", "2"));
});

test("a refusal stands in place of the diff, with its hop and its next step", async () => {
  const error = {
    message: "File not found.",
    type: "t",
    code: "not_found",
    hop: "client",
    hint: "Choose another file.",
  };
  panelWith({ [at("a.py", "workspace")]: () => ({ status: 404, error }) });
  show("a.py");
  const line = await screen.findByRole("alert");
  expect(line.textContent).toBe("clientFile not found. Choose another file.");
});
