// The texts of a cycle as they are edited in this window.

export type DraftStatus = "saved" | "unsaved" | "saving" | "conflict" | "failed";
export type Field = "title" | "context" | "ephemeral";

export interface Draft {
  readonly cycle: number;
  readonly rev: number;
  readonly title: string;
  readonly context: string;
  readonly ephemeral: string;
  readonly status: DraftStatus;
}
