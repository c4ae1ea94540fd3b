"""What may leave this machine: nothing to a host that was not agreed to, and no secret that was not looked at.

Every request is checked here first (`generating/guarded_provider.py` does so), whichever UI or verb sent it. The curator agrees to a
host once per workspace, after seeing what would be sent (`consent.py`). A gateway on this machine needs no agreement: prompts stay here.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dce.wire.errors import DceError
from dce.workspace.context.prompt import PromptInput
from dce.workspace.outbound.allowlist import AllowList
from dce.workspace.outbound.clean_texts import CleanTexts, rules_version
from dce.workspace.outbound.consent import Consents, host_of, is_here
from dce.workspace.outbound.placeholders import Placeholders
from dce.workspace.outbound.secrets import CONTROL, Finding, fingerprint, is_config, scan
from dce.workspace.project import Project
from dce.workspace.record.meta import MetaStore
from dce.workspace.tree.secret_names import touches_secrets

CLEARED_KEY = "cleared:"
HIDDEN_KEY = "hidden_secrets"
"""Keys in the store's meta table: prompts whose findings were all allowed where they stand, and the
findings for which placeholders go out whatever the policy."""

POLICIES = ("refuse", "placeholder", "exclude")
"""What is done about secrets: refuse to send, put placeholders in their places, or leave their files out."""

MAX_NAMED = 5
"""How many findings and files a message names."""

MAX_REMEMBERED = 5_000
"""Texts whose findings are remembered, for processes that live long; scanning one anew takes milliseconds."""


class Consignment(msgspec.Struct, frozen=True, kw_only=True):
    """What would be sent where: what a person is shown before agreeing. `size` in bytes; `files` are paths."""

    host: str
    size: int
    files: tuple[str, ...]

    def describe(self) -> str:
        """In one line."""
        named = ", ".join(self.files[:MAX_NAMED]) + (", …" if len(self.files) > MAX_NAMED else "")
        files = f"{len(self.files)} file{'s' * (len(self.files) != 1)}"
        return f"{self.size:,} bytes with {files}{f' ({named})' if named else ''} to {self.host}"


class Sending:
    """What this workspace lets out to the server at `url`; "": there is none, so nothing leaves."""

    def __init__(self, project: Project, store: MetaStore, url: str, policy: str, *, is_by_hand: bool = False) -> None:
        """`is_by_hand`: prompts are copied and carried to a chat somewhere, which is a host that nobody names."""
        self._project = project
        self._store = store
        self.policy = policy
        self.placeholders = Placeholders(store)
        self._scanned: dict[tuple[bytes, str], tuple[Finding, ...]] = {}
        self._clean = CleanTexts(project.state_dir, rules_version())
        self.consents = Consents(store)
        self._url = url
        self.is_local = is_here(url)
        self.host = host_of(url)
        self.holds_back = is_by_hand or not self.is_local

    @property
    def is_agreed(self) -> bool:
        """Whether this host may have what this workspace sends."""
        return self.consents.covers(self._url)

    def agree(self) -> None:
        """Remembers that this host may."""
        self.consents.give(self._url)

    def require_consent(self) -> None:
        """Raises consent_needed unless this host may be contacted at all."""
        self.consents.require(self._url, "ask it for its models, with the key")

    def findings(self, inputs: PromptInput) -> tuple[Finding, ...]:
        """The secrets in what a prompt is made of that nobody has allowed, files first. Texts of cycles have names in brackets."""
        allowed = AllowList.of(self._project)
        found = [finding for path, text in _texts(inputs).items() for finding in self._scan(text, path)]
        self._clean.keep()
        # With placeholders in it, a file whose name is telling holds nothing to hide.
        files = () if self.policy == "placeholder" else inputs.files
        return allowed.unresolved([*found, *by_name(file.path for file in files)])

    def unresolved(self, found: Sequence[Finding]) -> tuple[Finding, ...]:
        """Those of some findings that nobody has allowed, nor chosen a placeholder for."""
        hidden = {finding.fingerprint for finding in self.hidden()}
        return AllowList.of(self._project).unresolved(each for each in found if each.fingerprint not in hidden)

    def apply(self, inputs: PromptInput) -> PromptInput:
        """The inputs as the policy lets them go. Files left out are not in it; texts of cycles can only have placeholders."""
        chosen = frozenset(finding.fingerprint for finding in self.hidden())
        if self.policy == "refuse" and not chosen:
            return inputs
        allowed = AllowList.of(self._project)
        found = {finding.path for finding in self.findings(inputs) if finding.fingerprint not in chosen}
        if not found and not chosen:
            return inputs
        files = inputs.files
        if self.policy == "exclude":
            files = tuple(file for file in files if file.path not in found)

        def stays(path: str, fingerprint: str) -> bool:
            return allowed.allows(path, fingerprint) or (self.policy == "refuse" and fingerprint not in chosen)

        def hide(text: str, path: str = "") -> str:
            return self.placeholders.hide(text, path, stays)

        files = tuple(msgspec.structs.replace(file, text=hide(file.text, file.path)) for file in files)
        cycles = [
            msgspec.structs.replace(
                cycle,
                title=hide(cycle.title),
                context=hide(cycle.context),
                ephemeral=hide(cycle.ephemeral),
                summary=hide(cycle.summary),
            )
            for cycle in (*inputs.history, inputs.cycle)
        ]
        return msgspec.structs.replace(
            inputs, files=files, scope=hide(inputs.scope), history=tuple(cycles[:-1]), cycle=cycles[-1]
        )

    def hidden(self) -> tuple[Finding, ...]:
        """The findings for which a person chose placeholders, as they were found."""
        value = self._store.get(HIDDEN_KEY)
        return () if value is None else msgspec.json.decode(value, type=tuple[Finding, ...])

    def hide(self, finding: Finding) -> None:
        """From now on a placeholder goes out in place of this value. Raises invalid_input for a finding that is a file's name."""
        if finding.rule == SECRET_FILE:
            raise DceError("invalid_input", f"{finding.path} is a finding by its name: allow it, or leave it out.")
        with self._store.updating():
            others = [known for known in self.hidden() if known.fingerprint != finding.fingerprint]
            self._store.set(HIDDEN_KEY, msgspec.json.encode([*others, finding]).decode())

    def show(self, fingerprint: str) -> None:
        """No placeholder for this value any more."""
        with self._store.updating():
            others = [known for known in self.hidden() if known.fingerprint != fingerprint]
            self._store.set(HIDDEN_KEY, msgspec.json.encode(others).decode())

    def clear(self, inputs: PromptInput, text: str, picture_bytes: int = 0) -> None:
        """Lets a prompt (`text`, made of `inputs`) with its pictures go. Raises secrets_found naming places, or consent_needed naming what and where."""
        if self.is_local:
            return
        found = self.findings(inputs)
        if found:
            raise _refusal(found, self.host)
        if not self.is_agreed:
            raise self._unagreed(text, tuple(file.path for file in inputs.files), picture_bytes)
        if self._unallowed(text):  # allowed by path: where the text alone is known, that cannot be seen
            self._store.set(CLEARED_KEY + _sha256(text), "yes")

    def carry(self, findings: Sequence[Finding]) -> None:
        """Lets a prompt with these findings be copied out of DCE. Raises secrets_found."""
        if self.holds_back and findings:
            raise _refusal(findings, self.host or "wherever it is pasted")

    def consignment(self, inputs: PromptInput, text: str) -> Consignment:
        """What would be sent where."""
        return Consignment(host=self.host, size=len(text.encode()), files=tuple(file.path for file in inputs.files))

    def check(self, text: str) -> None:
        """As `clear`, for a prompt of which only the text is known: one of an earlier generation."""
        if self.is_local:
            return
        if not self.is_agreed:
            raise self._unagreed(text, ())
        if self._store.get(CLEARED_KEY + _sha256(text)) is None and (found := self._unallowed(text)):
            raise _refusal(found, self.host)

    def may_count(self, text: str) -> bool:
        """Whether a text may be sent to be counted."""
        return self.is_local or (self.is_agreed and not self._unallowed(text))

    def _unallowed(self, text: str) -> tuple[Finding, ...]:
        return AllowList.of(self._project).unresolved(self._scan(text, ""))

    def _unagreed(self, text: str, files: tuple[str, ...], picture_bytes: int = 0) -> DceError:
        what = Consignment(host=self.host, size=len(text.encode()) + picture_bytes, files=files)
        return DceError(
            "consent_needed", f"{self.host} has not been sent anything yet: this would send {what.describe()}."
        )

    def _scan(self, text: str, path: str) -> tuple[Finding, ...]:
        digest, is_configuration = _digest(text), is_config(path)
        if self._clean.has(digest, is_config=is_configuration):
            return ()
        if (digest, path) not in self._scanned:
            if len(self._scanned) >= MAX_REMEMBERED:
                self._scanned.clear()
            self._scanned[digest, path] = found = scan(text, path)
            if not found:
                self._clean.add(digest, is_config=is_configuration)
        return self._scanned[digest, path]


SECRET_FILE = "secret-file"  # noqa: S105 - a rule's name
"""The rule of a file whose name says that it is for keys or passwords."""


def _texts(inputs: PromptInput) -> Mapping[str, str]:
    """Everything in a prompt that somebody wrote, by where it stands."""
    texts = {file.path: file.text for file in inputs.files}
    texts["[project scope]"] = inputs.scope
    for cycle in (*inputs.history, inputs.cycle):
        texts[f"[cycle {cycle.id}]"] = "\n".join((cycle.title, cycle.context, cycle.ephemeral, cycle.summary))
    return texts


def by_name(paths: Iterable[str]) -> tuple[Finding, ...]:
    """A finding for each file whose name says that it is for keys or passwords."""
    return tuple(
        Finding(
            path=path, line=1, column=1, rule=SECRET_FILE, masked="its name", fingerprint=fingerprint(path.encode())
        )
        for path in paths
        if touches_secrets(path)
    )


def _refusal(found: Sequence[Finding], host: str) -> DceError:
    shown = [f"{item.path or 'prompt'}:{item.line} {item.rule} {item.masked} [{item.fingerprint}]" for item in found]
    more = f"; and {len(found) - MAX_NAMED} more" if len(found) > MAX_NAMED else ""
    tokens = sum(item.rule == CONTROL for item in found)
    what = " and ".join(
        f"{count} {name}{'s' * (count != 1)}"
        for count, name in ((len(found) - tokens, "possible secret"), (tokens, "control token"))
        if count
    )
    return DceError("secrets_found", f"{what} would go to {host}: {'; '.join(shown[:MAX_NAMED])}{more}")


def _sha256(text: str) -> str:
    return _digest(text).hex()


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
