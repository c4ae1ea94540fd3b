"""What the settings' routes take and give. A key goes in and never comes out: of it, only whether there is one."""

from typing import Literal

import msgspec

Provider = Literal["gateway", "openai", "manual"]


class SettingsValues(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force, without the key. None: not set, the server's own default."""

    url: str
    provider: Provider
    model: str | None
    n: int
    max_tokens: int | None
    context: int | None
    temperature: float | None
    temperature_spread: float | None
    seed: int | None
    reasoning_effort: str | None
    schema: str
    card: str
    secrets: Literal["refuse", "placeholder", "exclude"]
    exclude: tuple[str, ...]
    tokenizer: str
    images: bool
    history_cycles: int
    section_order: Literal["numbered", "stable"]


class CardView(msgspec.Struct, frozen=True, kw_only=True):
    """A model card: what it sets itself, as text, by setting; `provider`, `url` and `host` are those it generates by."""

    name: str
    values: dict[str, str]
    provider: Provider
    url: str
    has_key: bool
    is_built_in: bool
    is_used: bool
    """Whether a cycle generates by it, or it is the default."""


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in force and the cards. `kept`: what config.toml sets, as text; `overridden`: those of them that another source
    (a variable, a flag, a card) outranks."""

    values: SettingsValues
    has_key: bool
    kept: dict[str, str]
    overridden: tuple[str, ...]
    cards: tuple[CardView, ...]
    schemas: tuple[str, ...]
    can_examine: bool


class SettingsEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings by name, as text; "" takes one out of config.toml. `key` None leaves the key as it is, "" forgets it."""

    values: dict[str, str]
    key: str | None = None


class CardEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that a card sets, as text; "" or left out: the settings' own. `key` as in `SettingsEdit`."""

    values: dict[str, str]
    key: str | None = None


class CardChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card by which a cycle generates; "" is the settings' own."""

    card: str


class ServerQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server to be asked or examined, as it is being written. `key` None: the one kept for `card` ("" the settings), which goes
    only to the server that it is kept for. `run` names the examination in events."""

    url: str
    provider: Provider = "gateway"
    key: str | None = None
    card: str = ""
    model: str | None = None
    run: str = ""


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a server serves, and its context in tokens where it tells."""

    id: str
    context: int | None


class ModelsView(msgspec.Struct, frozen=True, kw_only=True):
    """What a server serves, the default first."""

    models: tuple[ServedModel, ...]


class HopView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the doctor's tree. `ok` None: not tried, for an earlier one failed."""

    hop: str
    name: str
    ok: bool | None
    detail: str
    fix: str


class DiagnosisView(msgspec.Struct, frozen=True, kw_only=True):
    """The doctor's whole tree."""

    ok: bool
    failing_hop: str | None
    code: str | None
    checks: tuple[HopView, ...]


class HostView(msgspec.Struct, frozen=True, kw_only=True):
    """Where a cycle's prompt goes. `notice`: what the host says it keeps, "" if it says nothing or cannot be reached."""

    host: str
    url: str
    provider: Provider
    is_local: bool
    is_agreed: bool
    notice: str
