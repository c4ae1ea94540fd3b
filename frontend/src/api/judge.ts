// Requests to the judge.

import { request } from "./client";
import type { JudgeRequest, Verdict } from "./generated";

export const judgeApi = {
  ask: (generation: number, body: JudgeRequest) =>
    request<Verdict>("POST", `/api/generations/${generation}/judge`, body),
};
