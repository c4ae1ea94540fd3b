// The ranked table.

export const board = {
  response: "Response",
  progress: "Progress",
  files: "Files",
  checks: "Checks",
  group: "Group",
  groupTitle: "Responses with the same letter lead to the same files",
  actions: "Actions",
  open: "Open response ",
  unreadable: "not readable as files",
  asInWorkspace: "as in the workspace",
  pass: (passed: number) => `${passed} pass`,
  fail: (failed: number, passed: number) => `${failed} fail, ${passed} pass`,
  fresh: (count: number) => ` (${count} new)`,
  isNew: "new",
  isDeleted: "deleted",
};
