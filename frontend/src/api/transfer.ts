// Uploads a history file as it is: not JSON, and of any size.

import { text } from "../messages";
import { ApiError } from "./client";
import type { ErrorBody, ImportReport } from "./generated";

export async function importHistory(file: File): Promise<ImportReport> {
  const answer = await fetch(`/api/import?name=${encodeURIComponent(file.name)}`, {
    method: "POST",
    body: file,
    headers: { "content-type": "application/octet-stream" },
  });
  const value = (await answer.json().catch(() => null)) as ImportReport | { readonly error: ErrorBody } | null;
  if (value !== null && "error" in value) throw new ApiError(value.error);
  if (!answer.ok || value === null) throw new Error(text.shell.noReason(answer.status));
  return value;
}
