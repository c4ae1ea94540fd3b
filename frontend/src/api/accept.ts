// Requests about accepting files into the workspace.

import { request } from "./client";
import type { AcceptancesView, AcceptRequest, AcceptView, HunksView, PreviewRequest, PreviewView } from "./generated";

export const acceptApi = {
  hunks: (generation: number, slot: number, path: string) =>
    request<HunksView>("GET", `/api/generations/${generation}/slots/${slot}/hunks?path=${encodeURIComponent(path)}`),
  preview: (body: PreviewRequest) => request<PreviewView>("POST", "/api/accept/preview", body),
  accept: (body: AcceptRequest) => request<AcceptView>("POST", "/api/accept", body),
  written: () => request<AcceptancesView>("GET", "/api/acceptances"),
};
