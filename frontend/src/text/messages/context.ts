// The files of the workspace.

import { plural } from "../words";

export const context = {
  title: "Files",
  reload: "Read the file list again",
  filter: "Filter by name",
  filterLabel: "Filter files by name",
  reading: "Reading the workspace…",
  noMatch: "No file has that in its path.",
  noFiles: "This workspace has no files yet.",
  tree: "Workspace files",
  tokens: (tokens: string, isExact: boolean) => `${tokens} tokens${isExact ? "" : ", estimated"}`,
  nothingSelected: "Tick the files that matter for this cycle.",
  selected: (files: number, tokens: string) => `${plural(files, "file")}, ${tokens} tokens`,
  gone: (count: number) => `; ${count} no longer there`,
  clear: "Clear",
};
