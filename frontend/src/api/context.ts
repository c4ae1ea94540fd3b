// Requests about the context: files, selection, findings.

import { request } from "./client";
import type {
  DetailRequest,
  FilesView,
  FindFilesRequest,
  FindingDecision,
  FindingsView,
  GitView,
  MatchingFiles,
  PromptChange,
  SavedSelectionRequest,
  SelectionView,
} from "./generated";

export const contextApi = {
  files: (since: string, isFresh: boolean) =>
    request<FilesView>("GET", `/api/files?since=${encodeURIComponent(since)}${isFresh ? "&fresh=yes" : ""}`),
  git: () => request<GitView>("GET", "/api/files/git"),
  find: (body: FindFilesRequest) => request<MatchingFiles>("POST", "/api/files/find", body),
  selection: () => request<SelectionView>("GET", "/api/selection"),
  show: (body: DetailRequest) => request<SelectionView>("PUT", "/api/selection/details", body),
  changeSet: (body: SavedSelectionRequest) => request<SelectionView>("POST", "/api/selection/sets", body),
  findings: (cycle: number) => request<FindingsView>("GET", `/api/cycles/${cycle}/findings`),
  resolve: (cycle: number, body: FindingDecision) =>
    request<FindingsView>("POST", `/api/cycles/${cycle}/findings`, body),
  promptChange: (cycle: number) => request<PromptChange>("GET", `/api/cycles/${cycle}/prompt/change`),
};
