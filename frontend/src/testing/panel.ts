// A panel for component tests: it answers what it is told to and keeps what it was asked.

import { vi } from "vitest";
import type { ErrorBody } from "../api/generated";

export interface Asked {
  /** Such as `PUT /api/cycles/1`. */
  readonly what: string;
  readonly body: unknown;
}

/** What the panel answers: a value, or an error with its HTTP status. */
export type Answer = { readonly gives: unknown } | { readonly status: number; readonly error: ErrorBody };

/** Answers requests by method and address; a request that no row names fails the test. */
export function panelWith(answers: Readonly<Record<string, (body: unknown) => Answer>>): ReadonlyArray<Asked> {
  const asked: Asked[] = [];
  vi.stubGlobal("fetch", (path: string, { method = "GET", body }: RequestInit = {}) => {
    const what = `${method} ${path}`;
    const value: unknown = typeof body === "string" ? JSON.parse(body) : undefined;
    asked.push({ what, body: value });
    const answer = answers[what]?.(value);
    if (answer === undefined) throw new Error(`the page asked ${what}, which this test does not answer`);
    const isGood = "gives" in answer;
    return Promise.resolve(
      new Response(JSON.stringify(isGood ? answer.gives : { error: answer.error }), {
        status: isGood ? 200 : answer.status,
        headers: { "content-type": "application/json" },
      }),
    );
  });
  return asked;
}
