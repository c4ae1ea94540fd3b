// The form of a server: what it saves, what it tests, and that a stored key is neither shown nor lost.

import { fireEvent, render, screen } from "@testing-library/react";
import { expect, test, vi } from "vitest";
import type { SettingsView } from "../api/generated";
import { text } from "../messages";
import { set } from "../state/store";
import { panelWith } from "../testing/panel";
import { settingsOf } from "../testing/samples";
import { ServerForm } from "./serverform";

const { fields } = text.settings;

function show(change: Partial<SettingsView> = {}, start: Readonly<Record<string, string>> = {}) {
  const settings = settingsOf(change);
  const save = vi.fn((_values: Record<string, string>, _key: string | null) => Promise.resolve(true));
  set({ settings, examination: null });
  render(
    <ServerForm card="" start={start} hasKey={settings.has_key} settings={settings} isCard={false} onSave={save} />,
  );
  return save;
}

const type = (label: string, value: string) => fireEvent.change(screen.getByLabelText(label), { target: { value } });
const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

test("what was typed is saved, and a key that was not touched stays as it is", async () => {
  const save = show({ has_key: true });
  expect(screen.getByLabelText(fields.key.label).getAttribute("placeholder")).toBe(text.settings.hasKey);
  type(fields.url.label, "http://gpu:8000/v1");
  press(text.settings.save);
  expect(save).toHaveBeenCalledExactlyOnceWith({ url: "http://gpu:8000/v1" }, null);
  await vi.waitFor(() => expect(screen.getByLabelText(fields.key.label)).toHaveProperty("value", ""));
});

test("a key is deleted only if a person says so", async () => {
  const save = show({ has_key: true });
  press(text.settings.deleteKey);
  press(text.settings.save);
  expect(save).toHaveBeenCalledExactlyOnceWith({}, "");
  await vi.waitFor(() => expect(screen.getByRole("button", { name: text.settings.deleteKey })).toBeTruthy());
});

test("Test asks the doctor about the address in the form, saved or not, and shows the hop at fault", async () => {
  const hop = { hop: "backend", name: "reach", ok: false, detail: "connection refused", fix: "Start the server." };
  const asked = panelWith({
    "POST /api/doctor": () => ({
      gives: { ok: false, failing_hop: "backend", code: "backend_unreachable", checks: [hop] },
    }),
  });
  show({}, { provider: "openai" });
  type(fields.url.label, "http://gpu:8000/v1");
  type(fields.key.label, "sesame");
  press(text.settings.test);
  expect(await screen.findByText("connection refused", { exact: false })).toBeTruthy();
  expect(screen.getByText(text.settings.fix("Start the server."))).toBeTruthy();
  expect(screen.getByText(text.settings.atFault("backend", "backend_unreachable"))).toBeTruthy();
  expect(asked[0]?.body).toMatchObject({ url: "http://gpu:8000/v1", provider: "openai", key: "sesame" });
});

test("a served model is chosen with its context", async () => {
  panelWith({ "POST /api/models": () => ({ gives: { models: [{ id: "coder", context: 32768 }] } }) });
  const save = show();
  press(text.settings.query);
  fireEvent.click(await screen.findByRole("button", { name: /coder/ }));
  press(text.settings.save);
  expect(save).toHaveBeenCalledExactlyOnceWith({ model: "coder", context: "32768" }, null);
});

test("a model whose answers are copied by hand has no server", () => {
  show({}, { provider: "manual" });
  expect(screen.queryByLabelText(fields.url.label)).toBeNull();
  expect(screen.queryByRole("button", { name: text.settings.test })).toBeNull();
});
