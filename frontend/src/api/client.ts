// Requests to the panel. Every failure becomes an ApiError in the panel's error shape, also when the panel does not respond.

import { text } from "../messages";
import type {
  AllowedFindings,
  BoardView,
  CardChoice,
  CardEdit,
  Consent,
  CycleEdit,
  CycleNew,
  CyclesView,
  CycleView,
  DiagnosisView,
  ErrorBody,
  GenerateRequest,
  GenerationView,
  HistoryView,
  HostView,
  ModelsView,
  PastedAnswer,
  PromptText,
  PromptView,
  RecordView,
  RestoreRequest,
  RestoreView,
  SearchView,
  SelectionChange,
  SendingView,
  ServerQuery,
  SettingsEdit,
  SettingsView,
  SlotsRequest,
  SlotView,
  VersionView,
  WorkspaceView,
} from "./generated";

export class ApiError extends Error {
  readonly body: ErrorBody;

  constructor(body: ErrorBody) {
    super(body.message);
    this.name = "ApiError";
    this.body = body;
  }
}

/** Turns any thrown value into an error that can be shown. */
export function errorBody(error: unknown): ErrorBody {
  if (error instanceof ApiError) return error.body;
  return { message: String(error), type: "api_error", code: "internal", hop: "client", hint: text.shell.reloadPage };
}

const SILENT: ErrorBody = {
  message: text.shell.silent,
  type: "api_error",
  code: "panel_unreachable",
  hop: "client",
  hint: text.shell.silentHint,
};

export async function request<T>(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
  } catch {
    throw new ApiError(SILENT);
  }
  const value: unknown = await answer.json().catch(() => null);
  if (answer.ok && value !== null) return value as T;
  const error = (value as { error?: ErrorBody } | null)?.error;
  throw new ApiError(error ?? { ...SILENT, message: text.shell.noReason(answer.status) });
}

const slotPath = (generation: number, slot: number) => `/api/generations/${generation}/slots/${slot}`;

const cardPath = (name: string) => `/api/cards/${encodeURIComponent(name)}`;

/** A server in a form is contacted only after its host was agreed to: where it was not yet, the person is asked. */
async function agreed<T>(query: ServerQuery, send: (query: ServerQuery) => Promise<T>): Promise<T> {
  try {
    return await send(query);
  } catch (error) {
    const { code, message } = errorBody(error);
    if (code !== "consent_needed" || !confirm(text.settings.contact(message))) throw error;
    return send({ ...query, is_agreed: true });
  }
}

export const api = {
  workspace: () => request<WorkspaceView>("GET", "/api/workspace"),
  select: (body: SelectionChange) => request<SelectionChange>("PUT", "/api/selection", body),
  cycle: (id: number) => request<CycleView>("GET", `/api/cycles/${id}`),
  createCycle: (body: CycleNew) => request<CycleView>("POST", "/api/cycles", body),
  editCycle: (id: number, body: CycleEdit) => request<CycleView>("PUT", `/api/cycles/${id}`, body),
  prompt: (cycle: number, withText: boolean) =>
    request<PromptView>("GET", `/api/cycles/${cycle}/prompt${withText ? "" : "?text=no"}`),
  generate: (body: GenerateRequest) => request<GenerationView>("POST", "/api/generations", body),
  generation: (id: number) => request<GenerationView>("GET", `/api/generations/${id}`),
  stopAll: (id: number) => request<GenerationView>("POST", `/api/generations/${id}/stop`),
  board: (id: number) => request<BoardView>("GET", `/api/generations/${id}/board`),
  slot: (generation: number, slot: number) => request<SlotView>("GET", slotPath(generation, slot)),
  stop: (generation: number, slot: number) => request<GenerationView>("POST", `${slotPath(generation, slot)}/stop`),
  regenerate: (generation: number, body: SlotsRequest) =>
    request<GenerationView>("POST", `/api/generations/${generation}/regenerate`, body),
  continueResponse: (generation: number, slot: number) =>
    request<GenerationView>("POST", `${slotPath(generation, slot)}/continue`),
  history: () => request<HistoryView>("GET", "/api/history"),
  search: (words: string) => request<SearchView>("GET", `/api/history/search?q=${encodeURIComponent(words)}`),
  record: (cycle: number) => request<RecordView>("GET", `/api/cycles/${cycle}/record`),
  version: (generation: number, slot: number, version: number) =>
    request<VersionView>("GET", `${slotPath(generation, slot)}/versions/${version}`),
  deleteCycle: (cycle: number) => request<CyclesView>("DELETE", `/api/cycles/${cycle}`),
  writePrompt: (cycle: number) => request<PromptText>("POST", `/api/cycles/${cycle}/prompt`),
  paste: (cycle: number, body: PastedAnswer) => request<GenerationView>("POST", `/api/cycles/${cycle}/answers`, body),
  settings: () => request<SettingsView>("GET", "/api/settings"),
  editSettings: (body: SettingsEdit) => request<SettingsView>("PUT", "/api/settings", body),
  putCard: (name: string, body: CardEdit) => request<SettingsView>("PUT", cardPath(name), body),
  deleteCard: (name: string) => request<SettingsView>("DELETE", cardPath(name)),
  chooseCard: (cycle: number, body: CardChoice) => request<CycleView>("PUT", `/api/cycles/${cycle}/card`, body),
  host: (cycle: number) => request<HostView>("GET", `/api/cycles/${cycle}/host`),
  notice: (cycle: number) => request<HostView>("GET", `/api/cycles/${cycle}/host?notice=yes`),
  models: (body: ServerQuery) => agreed(body, (asked) => request<ModelsView>("POST", "/api/models", asked)),
  examine: (body: ServerQuery) => agreed(body, (asked) => request<DiagnosisView>("POST", "/api/doctor", asked)),
  sending: (cycle: number) => request<SendingView>("GET", `/api/cycles/${cycle}/sending`),
  consent: (cycle: number, body: Consent) => request<SendingView>("POST", `/api/cycles/${cycle}/consent`, body),
  allow: (body: AllowedFindings) => request<AllowedFindings>("POST", "/api/secrets/allow", body),
  restore: (body: RestoreRequest) => request<RestoreView>("POST", "/api/restore", body),
};
