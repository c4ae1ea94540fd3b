// Requests about judging responses.

import { request } from "./client";
import type {
  Agreement,
  Correction,
  CycleView,
  DiffView,
  GenerationView,
  Judgement,
  JudgementRequest,
} from "./generated";

const slotPath = (generation: number, slot: number) => `/api/generations/${generation}/slots/${slot}`;

export const reviewApi = {
  agreement: (generation: number) => request<Agreement>("GET", `/api/generations/${generation}/agreement`),
  judge: (generation: number, slot: number, body: JudgementRequest) =>
    request<Judgement>("PUT", `${slotPath(generation, slot)}/judgement`, body),
  correct: (generation: number, slot: number, body: Correction) =>
    request<GenerationView>("POST", `${slotPath(generation, slot)}/correction`, body),
  choose: (generation: number, slot: number, isBase: boolean) =>
    request<CycleView>("PUT", `${slotPath(generation, slot)}/base`, { is_base: isBase }),
  diff: (generation: number, slot: number, path: string, against: string) =>
    request<DiffView>(
      "GET",
      `${slotPath(generation, slot)}/diff?path=${encodeURIComponent(path)}&against=${encodeURIComponent(against)}`,
    ),
};
