"""Decides what may leave this machine: nothing to a host without consent, and no secret that nobody has reviewed.

Every request is checked here first (by `generating/guarded_provider.py`), whichever UI or command sends it. The user consents to a
host once per workspace, after seeing what would be sent (`consent.py`). A gateway on this machine needs no consent: prompts stay here.
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
from dce.workspace.outbound.secrets import CONTROL, Finding, fingerprint, kind_of, scan
from dce.workspace.project import Project
from dce.workspace.record.meta import MetaStore
from dce.workspace.tree.secret_names import touches_secrets

CLEARED_KEY = "cleared:"
HIDDEN_KEY = "hidden_secrets"
"""Keys in the store's meta table: prompts whose findings were all allowed by path, and the findings
that are sent as placeholders whatever the policy."""

POLICIES = ("refuse", "placeholder", "exclude")
"""How secrets are handled: refuse to send, replace them by placeholders, or leave out their files."""

MAX_NAMED = 5
"""Maximum findings, and maximum files, that a message names."""

MAX_REMEMBERED = 5_000
"""Texts whose findings are remembered in long-running processes; scanning one again takes milliseconds."""


class TransferNotice(msgspec.Struct, frozen=True, kw_only=True):
    """What would be sent where, as shown to the user before consent. `size` is in bytes; `files` are paths."""

    host: str
    size: int
    files: tuple[str, ...]

    def describe(self) -> str:
        """A description in one line."""
        named = ", ".join(self.files[:MAX_NAMED]) + (", …" if len(self.files) > MAX_NAMED else "")
        files = f"{len(self.files)} file{'s' * (len(self.files) != 1)}"
        return f"{self.size:,} bytes with {files}{f' ({named})' if named else ''} to {self.host}"


class Sending:
    """What this workspace may send to the server at `url`; "" means no server, so nothing is sent."""

    def __init__(self, project: Project, store: MetaStore, url: str, policy: str, *, is_by_hand: bool = False) -> None:
        """`is_by_hand`: prompts are copied and pasted into a chat, whose host is unknown."""
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
        """Whether this host may receive what this workspace sends."""
        return self.consents.covers(self._url)

    def agree(self) -> None:
        """Remembers the consent to this host."""
        self.consents.give(self._url)

    def require_consent(self) -> None:
        """Raises consent_needed unless this host may be contacted at all."""
        self.consents.require(self._url, "ask it for its models, with the key")

    def findings(self, inputs: PromptInput) -> tuple[Finding, ...]:
        """The secrets in a prompt's inputs that nobody has allowed, files first. Texts of cycles are named in brackets."""
        allowed = AllowList.of(self._project)
        found = [finding for path, text in _texts(inputs).items() for finding in self._scan(text, path)]
        self._clean.keep()
        # Once its secrets are placeholders, a file with a suspicious name has nothing left to hide.
        files = () if self.policy == "placeholder" else inputs.files
        return allowed.unresolved([*found, *by_name(file.path for file in files)])

    def unresolved(self, found: Sequence[Finding]) -> tuple[Finding, ...]:
        """The findings among `found` that are neither allowed nor sent as placeholders by the user's choice."""
        hidden = {finding.fingerprint for finding in self.hidden()}
        return AllowList.of(self._project).unresolved(each for each in found if each.fingerprint not in hidden)

    def apply(self, inputs: PromptInput) -> PromptInput:
        """The inputs as the policy lets them be sent. It may leave files out; in texts of cycles it can only insert placeholders."""
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

    def hide_in(self, text: str) -> str:
        """A further text for an earlier prompt, such as a user's words or a program's output, as the policy lets it be sent."""
        chosen = frozenset(finding.fingerprint for finding in self.hidden())
        if self.policy == "refuse" and not chosen:
            return text
        allowed = AllowList.of(self._project)
        return self.placeholders.hide(
            text,
            "",
            lambda path, found: allowed.allows(path, found) or (self.policy == "refuse" and found not in chosen),
        )

    def hidden(self) -> tuple[Finding, ...]:
        """The findings that the user chose to send as placeholders, as they were found."""
        value = self._store.get(HIDDEN_KEY)
        return () if value is None else msgspec.json.decode(value, type=tuple[Finding, ...])

    def hide(self, finding: Finding) -> None:
        """Sends a placeholder instead of this value from now on. Raises invalid_input for a finding about a file's name."""
        if finding.rule == SECRET_FILE:
            raise DceError(
                "invalid_input",
                f"{finding.path} is a finding because of its name, so no placeholder can replace it: allow it, or exclude the file.",
            )
        with self._store.updating():
            others = [known for known in self.hidden() if known.fingerprint != finding.fingerprint]
            self._store.set(HIDDEN_KEY, msgspec.json.encode([*others, finding]).decode())

    def show(self, fingerprint: str) -> None:
        """Stops sending a placeholder for this value."""
        with self._store.updating():
            others = [known for known in self.hidden() if known.fingerprint != fingerprint]
            self._store.set(HIDDEN_KEY, msgspec.json.encode(others).decode())

    def clear(self, inputs: PromptInput, text: str, picture_bytes: int = 0) -> None:
        """Clears a prompt (`text`, built from `inputs`) and its pictures for sending. Raises secrets_found naming the places, or consent_needed naming what would go where."""
        if self.is_local:
            return
        found = self.findings(inputs)
        if found:
            raise _refusal(found, self.host)
        if not self.is_agreed:
            raise self._unagreed(text, tuple(file.path for file in inputs.files), picture_bytes)
        if self._unallowed(text):  # findings allowed by path, which `check` cannot tell from the text alone
            self._store.set(CLEARED_KEY + _sha256(text), "yes")

    def check_copy(self, findings: Sequence[Finding]) -> None:
        """Checks that a prompt with these findings may be copied out of DCE. Raises secrets_found."""
        if self.holds_back and findings:
            raise _refusal(findings, self.host or "wherever it is pasted")

    def check(self, text: str) -> None:
        """Like `clear`, for a prompt known only by its text: that of an earlier generation."""
        if self.is_local:
            return
        if not self.is_agreed:
            raise self._unagreed(text, ())
        if self._store.get(CLEARED_KEY + _sha256(text)) is None and (found := self._unallowed(text)):
            raise _refusal(found, self.host)

    def check_after(self, prompt: str, texts: Sequence[str]) -> None:
        """Like `check`, for a prompt and the messages that follow it. What the prompt itself holds, the user has cleared already."""
        self.check(prompt)
        if self.is_local or not texts:
            return
        known = {finding.fingerprint for finding in self._scan(prompt, "")}
        found = [each for text in texts for each in self._unallowed(text) if each.fingerprint not in known]
        if found:
            raise _refusal(found, self.host)

    def may_count(self, text: str) -> bool:
        """Whether a text may be sent to the server for a token count."""
        return self.is_local or (self.is_agreed and not self._unallowed(text))

    def _unallowed(self, text: str) -> tuple[Finding, ...]:
        return AllowList.of(self._project).unresolved(self._scan(text, ""))

    def _unagreed(self, text: str, files: tuple[str, ...], picture_bytes: int = 0) -> DceError:
        what = TransferNotice(host=self.host, size=len(text.encode()) + picture_bytes, files=files)
        return DceError(
            "consent_needed", f"{self.host} has not been sent anything yet: this would send {what.describe()}."
        )

    def _scan(self, text: str, path: str) -> tuple[Finding, ...]:
        digest, kind = _digest(text), kind_of(path)
        if self._clean.has(digest, kind):
            return ()
        if (digest, path) not in self._scanned:
            if len(self._scanned) >= MAX_REMEMBERED:
                self._scanned.clear()
            self._scanned[digest, path] = found = scan(text, path)
            if not found:
                self._clean.add(digest, kind)
        return self._scanned[digest, path]


SECRET_FILE = "secret-file"  # noqa: S105 - a rule's name
"""Rule name for files whose name suggests keys or passwords."""


def _texts(inputs: PromptInput) -> Mapping[str, str]:
    """All the texts that go into a prompt, by their source."""
    texts = {file.path: file.text for file in inputs.files}
    texts["[project scope]"] = inputs.scope
    for cycle in (*inputs.history, inputs.cycle):
        texts[f"[cycle {cycle.id}]"] = "\n".join((cycle.title, cycle.context, cycle.ephemeral, cycle.summary))
    return texts


def by_name(paths: Iterable[str]) -> tuple[Finding, ...]:
    """A finding for each file whose name suggests keys or passwords."""
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
