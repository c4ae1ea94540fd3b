"""What the panel says of the context: files, selection, findings, the prompt against the last one."""

from typing import Literal

import msgspec

from dce.workspace.context.tokens import Count
from dce.workspace.outbound.secrets import Finding
from dce.workspace.record.selected_files import Detail


class FilesView(msgspec.Struct, frozen=True, kw_only=True):
    """The files as columns, by path, so that a hundred thousand of them cost little; with `is_whole` false only what changed.

    `tokens` are None where nobody counted (the window guesses from `sizes`, in bytes); `exact` holds a character a file, `1` for the
    tokenizer's own count. `excluded`: why a file cannot go in. `documents`: files of which the text is extracted. `removed`: gone since.
    """

    cursor: str
    is_whole: bool
    is_counting: bool
    paths: tuple[str, ...]
    sizes: tuple[int, ...]
    tokens: tuple[int | None, ...]
    exact: str
    excluded: dict[str, str]
    documents: tuple[str, ...]
    removed: tuple[str, ...]


class GitView(msgspec.Struct, frozen=True, kw_only=True):
    """Files that git sees as changed against the last commit: path → modified, added, untracked, renamed or conflict."""

    changed: dict[str, str]


class FindOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to look for files: what git says changed (`text`: against which commit), what changed since the last prompt of `cycle`,

    what a stack trace, diff or log in `text` names, or which files hold `text`.
    """

    source: Literal["git", "cycle", "trace", "content"]
    text: str = ""
    cycle: int = 0


class FoundView(msgspec.Struct, frozen=True, kw_only=True):
    """Files that can go into a prompt, by path."""

    paths: tuple[str, ...]


class SelectedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A selected file as the prompt will show it: `count` is what that costs; None if it cannot go in, for which `problem` says why.

    `findings`: secrets in it that nobody looked at; `is_changed`: it is not what the last prompt showed.
    """

    path: str
    size: int
    detail: Detail
    count: Count | None
    findings: int
    is_changed: bool
    problem: str


class SetSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A named set of files."""

    name: str
    files: int
    is_selection: bool


class SelectionView(msgspec.Struct, frozen=True, kw_only=True):
    """The selection file by file, and the named sets. `missing`: files that a set named and that are no longer there."""

    files: tuple[SelectedFile, ...]
    sets: tuple[SetSummary, ...]
    missing: tuple[str, ...] = ()


class DetailOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of some selected files the prompt shows."""

    paths: tuple[str, ...]
    detail: Detail


class SetOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do with a named set."""

    name: str
    act: Literal["save", "load", "merge", "delete"]


class FindingOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do about a finding: allow the value, put a placeholder in its place (or no longer), or leave its file out."""

    act: Literal["allow", "placeholder", "show", "exclude"]
    fingerprint: str = ""
    path: str = ""


class FindingsView(msgspec.Struct, frozen=True, kw_only=True):
    """The secrets that the prompt of a cycle would show to `host`. `is_local`: that is this machine, so nothing stops them.

    `hidden`: fingerprints that go out as placeholders. `policy`: what is done about those that nobody looked at.
    """

    host: str
    is_local: bool
    policy: str
    findings: tuple[Finding, ...]
    hidden: tuple[Finding, ...]


class PromptChange(msgspec.Struct, frozen=True, kw_only=True):
    """The prompt as it would be sent now against the last one that was; `generation` 0: none was, `before` is empty."""

    generation: int
    before: str
    after: str
