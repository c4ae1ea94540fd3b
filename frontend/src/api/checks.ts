// Requests about the project's checks.

import { text } from "../messages";
import { errorBody, request } from "./client";
import type {
  BehaviourView,
  BoardView,
  ChecksFileView,
  ChecksText,
  ChecksView,
  CommandsView,
  ResponseChecks,
  WorkspaceOrder,
  WorkspaceReport,
} from "./generated";

const generationPath = (generation: number) => `/api/generations/${generation}`;
const fresh = (isFresh: boolean) => (isFresh ? "?fresh=yes" : "");

/** What may run in a workspace, where it is shown and where it is agreed to. */
const CHECKS = { show: "/api/checks", agree: "/api/checks/consent" };
const BEHAVIOUR = { show: "/api/behaviour/commands", agree: "/api/behaviour/consent" };

/** Commands and probes run only after they were agreed to: where they were not yet, or have changed, the person is asked. */
async function agreed<T>(run: () => Promise<T>, edited: string | null = null, { show, agree } = CHECKS): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (errorBody(error).code !== "consent_needed") throw error;
    const view =
      edited === null
        ? await request<CommandsView>("GET", show)
        : await request<CommandsView>("POST", "/api/checks/commands", { text: edited });
    if (!confirm(text.checks.agreeToCommands(view))) throw error;
    await request<CommandsView>(
      "POST",
      agree,
      edited === null ? { digest: view.digest } : { digest: view.digest, text: edited },
    );
    return run();
  }
}

export const checksApi = {
  of: (generation: number) => request<ChecksView>("GET", `${generationPath(generation)}/checks`),
  ofResponse: (generation: number, slot: number) =>
    request<ResponseChecks>("GET", `${generationPath(generation)}/slots/${slot}/checks`),
  run: (generation: number, isFresh: boolean) =>
    agreed(() => request<BoardView>("POST", `${generationPath(generation)}/checks${fresh(isFresh)}`)),
  runOn: (generation: number, slot: number, isFresh: boolean) =>
    agreed(() => request<BoardView>("POST", `${generationPath(generation)}/slots/${slot}/checks${fresh(isFresh)}`)),
  behaviour: (generation: number) => request<BehaviourView>("GET", `${generationPath(generation)}/behaviour`),
  compare: (generation: number) =>
    agreed(() => request<BehaviourView>("POST", `${generationPath(generation)}/behaviour`), null, BEHAVIOUR),
  stop: (generation: number) => request<BoardView>("POST", `${generationPath(generation)}/checks/stop`),
  file: () => request<ChecksFileView>("GET", "/api/checks/file"),
  save: (body: ChecksText) => request<ChecksFileView>("PUT", "/api/checks/file", body),
  runOnWorkspace: (order: WorkspaceOrder) =>
    agreed(() => request<WorkspaceReport>("POST", "/api/checks/workspace", order), order.text ?? null),
  stopOnWorkspace: () => request<ChecksFileView>("POST", "/api/checks/workspace/stop"),
};
