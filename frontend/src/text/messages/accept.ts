// Writing into the workspace, and the way back.

import { plural } from "../words";

export const accept = {
  nothing: "Nothing to accept",
  accept: (files: number) => `Accept ${plural(files, "file")}…`,
  title: (slot: number) => `Accept from response ${slot}`,
  explain: "These files are written into the workspace. Restore puts back what is there now, to the byte.",
  leaveOut: "Leave out the refused files to accept the others.",
  write: (files: number) => `Write ${plural(files, "file")}`,
  written: (files: number, slot: number) => `${plural(files, "file")} of response ${slot} written.`,
  refused: (reason: string) => `refused: ${reason}`,
  inWorkspace: (files: number, slot: number, generation: number) =>
    `${plural(files, "file")} of response ${slot} (generation ${generation}) ${files === 1 ? "is" : "are"} in the workspace.`,
  restore: "Restore…",
  restoreTitle: "Put back what was there before",
  edited: "A file was edited since it was accepted, so nothing can be put back.",
  restoreFiles: (files: number) => `Restore ${plural(files, "file")}`,
  restored: "The files are as they were before.",
};
