// What the flags of an answer and of its files are called, and what each means.

interface FlagText {
  readonly name: string;
  readonly meaning: string;
}

const FLAGS: Readonly<Record<string, FlagText>> = {
  truncated: { name: "truncated", meaning: "The model reached its output limit" },
  no_verdict: {
    name: "no verdict",
    meaning: "The checks would have tested other code than this response: run `dce run-checks` to see why",
  },
  prompt_cut: {
    name: "prompt cut",
    meaning: "The server read only a part of the prompt: raise its context length, or select fewer files",
  },
  does_not_compile: { name: "does not compile", meaning: "A file that parsed before, or a new one, does not parse" },
  unresolved_import: { name: "import not found", meaning: "A file imports a module or a name that is not there" },
  secret_in_code: {
    name: "secret in code",
    meaning: "A file holds what looks like a key or a password that was not there before",
  },
  changes_tests: {
    name: "changes tests",
    meaning:
      "The answer adds, changes or weakens tests or their configuration; the workspace's own tests give the verdict",
  },
  flaky: { name: "flaky", meaning: "A test failed that is known to fail now and then" },
  limit_hit: { name: "limit hit", meaning: "A check was killed at a limit: time, memory, processes, disk or output" },
  elision: { name: "code left out", meaning: "Placeholder text, or a file that shrank by more than 40%" },
  missing_files: { name: "missing files", meaning: "The answer names files that it does not contain" },
  outside_workspace: { name: "outside the workspace", meaning: "Will not be written" },
  touches_secrets: { name: "touches secrets", meaning: "The path is one where keys or passwords are kept" },
  secret_moved: {
    name: "secret in a new place",
    meaning: "The answer puts a secret into a file where the prompt did not show it: check where the value goes",
  },
  runs_by_itself: {
    name: "runs by itself",
    meaning: "Tools run this file without being told to: read it before you accept it",
  },
  sets_policy: {
    name: "sets policy",
    meaning: "The file sets what tools allow or install: read it before you accept it",
  },
  hard_link: { name: "hard link", meaning: "The file has other names, and changes under all of them" },
  ambiguous_block: { name: "unclear file", meaning: "The end or the meaning of the file had to be guessed" },
  stale_base: {
    name: "differs from the prompt",
    meaning: "The file changed since the prompt was made, or was not in it",
  },
  path_doubt: { name: "doubtful path", meaning: "Perhaps not the path that is meant: see the notes" },
  conflict_marks: { name: "conflict marks", meaning: "Contains conflict marks" },
  diff_in_file: { name: "diff in file", meaning: "Contains a diff instead of the file's text" },
  edit_in_file: { name: "edit in file", meaning: "Contains SEARCH/REPLACE marks instead of the file's text" },
  line_numbers: { name: "line numbers", meaning: "Has a number before every line" },
  smart_quotes: { name: "smart quotes", meaning: "Has typographic quotes where code needs straight ones" },
  escaped_text: { name: "escaped text", meaning: "Has escaped characters (&lt;, CDATA) instead of the plain ones" },
  binary_as_text: { name: "binary as text", meaning: "Text under the name of a binary file" },
  text_around_fence: { name: "text around fence", meaning: "Contains a code fence and text around it" },
  unapplied_edit: { name: "edit not applied", meaning: "An edit matches nowhere in the file: see the notes" },
};

export const flags = {
  name: (flag: string) => FLAGS[flag]?.name ?? flag.replaceAll("_", " "),
  meaning: (flag: string) => FLAGS[flag]?.meaning,
};
