// Requests about follow-ups.

import { request } from "./client";
import type { FollowUpRequest, FollowUpView, GenerationView } from "./generated";

const path = (generation: number, slot: number) => `/api/generations/${generation}/slots/${slot}/follow-up`;

export const followUpApi = {
  ask: (generation: number, slot: number, body: FollowUpRequest) =>
    request<GenerationView>("POST", path(generation, slot), body),
  asked: (generation: number, slot: number) => request<FollowUpView>("GET", path(generation, slot)),
};
