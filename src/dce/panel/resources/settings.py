"""The settings and the model cards: what is in effect, where it is from, and editing both.

A model card is a named set of settings (server, model, sampling) that a cycle can generate with. What must always hold: a key goes in
and never comes out, a view says only whether there is one; a value that cannot be used is refused before anything is written.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.wire.errors import DceError
from dce.workspace.cards import check_fields, parsed
from dce.workspace.request_options import shown
from dce.workspace.schema import SCHEMAS
from dce.workspace.settings import BUILT_IN_CARDS, CARDS, CONFIG_FILE, Settings, check_settings, keep_key, read_config

Provider = Literal["gateway", "openai", "manual"]


class SettingsValues(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in effect, without the key. None: not set, so the server's own default applies."""

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
    """A model card. `values`: the settings that it sets itself, as text; `provider` and `url`: those in effect with it. `is_used`: a cycle
    generates with it, or it is the default."""

    name: str
    values: dict[str, str]
    provider: Provider
    url: str
    has_key: bool
    is_built_in: bool
    is_used: bool


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """The settings in effect and the model cards. `kept`: what config.toml sets, as text; `overridden`: those of them that another source
    (an environment variable, a flag, a card) outranks."""

    values: SettingsValues
    has_key: bool
    kept: dict[str, str]
    overridden: tuple[str, ...]
    cards: tuple[CardView, ...]
    schemas: tuple[str, ...]
    can_examine: bool


class SettingsEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings by name, as text; "" removes one from config.toml. `key`: None leaves the key as it is, "" deletes it."""

    values: dict[str, str]
    key: str | None = None


class CardEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that a card sets, as text; a field that is "" or left out follows the settings. `key` as in `SettingsEdit`."""

    values: dict[str, str]
    key: str | None = None


def show_settings(call: Call) -> SettingsView:
    """The settings in effect, and the model cards."""
    return _settings_view(call.panel)


def edit_settings(call: Call) -> SettingsView:
    """Writes settings to config.toml, and the key to a file that only its owner can read. All of them or none."""
    edit: SettingsEdit = call.body
    state_dir, cards = call.panel.workspace.project.state_dir, call.panel.tools.cards
    for name, text in edit.values.items():  # all are checked before the first is written
        if text or name not in Settings.__struct_fields__:
            check_settings("settings", {name: parsed(name, text)})
    if edit.key:
        check_settings("settings", {"key": edit.key})
    for name, text in edit.values.items():
        cards.set_value(name, text)
    if edit.key is not None:
        keep_key(state_dir, edit.key)
    return _reloaded(call.panel)


def put_card(call: Call) -> SettingsView:
    """Saves a model card, in place of any with its name."""
    edit: CardEdit = call.body
    name, cards = call.path["name"], call.panel.tools.cards
    check_fields(edit.values)
    if edit.key:
        check_settings(f"the card {name!r}", {"key": edit.key})
    cards.put(name, {field: parsed(field, text) for field, text in edit.values.items() if text})
    if edit.key:
        cards.vault.put(name, edit.key)
    elif edit.key is not None:
        cards.vault.forget(name)
    return _reloaded(call.panel)


def delete_card(call: Call) -> SettingsView:
    """Deletes a model card with its key. Refused while it is the default, or the current cycle generates with it."""
    name = call.path["name"]
    if call.panel.workspace.cycles.current().card == name:
        raise DceError(
            "conflict", f"the current cycle generates with {name!r}", hint="Choose another card for that cycle first."
        )
    call.panel.tools.cards.remove(name)
    return _reloaded(call.panel)


def _reloaded(panel: PanelRuntime) -> SettingsView:
    """Puts what was written into effect."""
    panel.workspace.reload_settings()
    return _settings_view(panel)


def _settings_view(panel: PanelRuntime) -> SettingsView:
    here = panel.workspace
    config = read_config(here.project.state_dir / CONFIG_FILE)
    config.pop(CARDS, None)
    in_effect = msgspec.structs.asdict(here.settings)
    kept = {name: value for name, value in shown(config).items() if name in in_effect}
    return SettingsView(
        values=SettingsValues(
            **{name: value for name, value in in_effect.items() if name in SettingsValues.__struct_fields__}
        ),
        has_key=bool(here.settings.key),
        kept={name: _as_text(value) for name, value in kept.items()},
        overridden=tuple(
            name
            for name, value in kept.items()
            if _as_text(list(in_effect[name]) if name == "headers" else in_effect[name])
            != _as_text(list(value) if name == "headers" else value)  # their values in effect are the variables'
        ),
        cards=_card_views(panel),
        schemas=tuple(SCHEMAS),
        can_examine=panel.tools.examine is not None,
    )


def _card_views(panel: PanelRuntime) -> tuple[CardView, ...]:
    """All cards: built in, of servers that this program runs, written by the user."""
    here, cards = panel.workspace, panel.tools.cards
    used = {head.card for head in here.cycles.heads()} | {here.settings.card}
    written = cards.list()
    served = {name: {"url": ""} for name in panel.tools.servers}
    every: dict[str, Mapping[str, Any]] = {**BUILT_IN_CARDS, **served, **written}
    return tuple(
        CardView(
            name=name,
            values={field: _as_text(value) for field, value in values.items()},
            provider=values.get("provider", here.settings.provider),
            url=values.get("url", here.settings.url),
            has_key=cards.vault.get(name) is not None,
            is_built_in=name not in written,
            is_used=name in used,
        )
        for name, values in every.items()
    )


def _as_text(value: object) -> str:
    """A setting as people type it."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode() if value else ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


_CARD = "/api/cards/{name}"
_CHANGES = ("settings",)

ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/settings", show_settings, gives=SettingsView),
    Route("PUT", "/api/settings", edit_settings, takes=SettingsEdit, gives=SettingsView, changes=_CHANGES),
    Route("PUT", _CARD, put_card, takes=CardEdit, gives=SettingsView, changes=_CHANGES),
    Route("DELETE", _CARD, delete_card, gives=SettingsView, changes=_CHANGES),
)
