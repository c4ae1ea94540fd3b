"""The settings: what is in force, model cards, asking a server what it serves, the doctor, and where a cycle's prompt goes.

What must always hold: a key is never sent back, and the key kept for one server never goes to another; a setting that cannot be
used is refused when it is written.
"""

import asyncio
from collections.abc import Callable

import msgspec

from dce.panel import settings_schemas as schemas
from dce.panel import views
from dce.panel.route import Call, Route
from dce.panel.schemas import CycleView
from dce.panel.session import Session
from dce.panel.tools import Check, Question
from dce.wire.errors import DceError
from dce.workspace.cards import CARD_FIELDS, parsed
from dce.workspace.events import HopChecked
from dce.workspace.generating.privacy import fetch_notice
from dce.workspace.generating.providers import provider_of
from dce.workspace.schema import SCHEMAS
from dce.workspace.settings import BUILT_IN_CARDS, CARDS, CONFIG_FILE, Settings, check_settings, keep_key, read_config


async def settings(call: Call) -> schemas.SettingsView:
    """The settings in force, and the model cards."""
    return await asyncio.to_thread(_settings, call.session)


def _settings(session: Session) -> schemas.SettingsView:
    here = session.workspace
    config = read_config(here.project.state_dir / CONFIG_FILE)
    config.pop(CARDS, None)
    force = msgspec.structs.asdict(here.settings)
    kept = {name: value for name, value in config.items() if name in force}
    return schemas.SettingsView(
        values=schemas.SettingsValues(
            **{name: value for name, value in force.items() if name in schemas.SettingsValues.__struct_fields__}
        ),
        has_key=bool(here.settings.key),
        kept={name: _text(value) for name, value in kept.items()},
        overridden=tuple(name for name, value in kept.items() if _text(force[name]) != _text(value)),
        cards=_cards(session),
        schemas=tuple(SCHEMAS),
        can_examine=session.tools.examine is not None,
    )


def _cards(session: Session) -> tuple[schemas.CardView, ...]:
    here, cards = session.workspace, session.tools.cards
    used = {head.card for head in here.cycles.heads()} | {here.settings.card}
    written = cards.list()
    views_of = []
    own = {name: {"url": ""} for name in session.tools.servers}
    for name, values in {**BUILT_IN_CARDS, **own, **written}.items():
        views_of.append(
            schemas.CardView(
                name=name,
                values={field: _text(value) for field, value in values.items()},
                provider=values.get("provider", here.settings.provider),
                url=values.get("url", here.settings.url),
                has_key=cards.vault.get(name) is not None,
                is_built_in=name not in written,
                is_used=name in used,
            )
        )
    return tuple(views_of)


def _text(value: object) -> str:
    """A setting as people type it."""
    if value is None:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


async def edit_settings(call: Call) -> schemas.SettingsView:
    """Writes settings into config.toml, and the key where only its owner can read it."""
    edit: schemas.SettingsEdit = call.body

    def keep() -> None:
        state_dir, cards = call.session.workspace.project.state_dir, call.session.tools.cards
        for name, text in edit.values.items():  # all are looked at before the first is written
            if text or name not in Settings.__struct_fields__:
                check_settings("settings", {name: parsed(name, text)})
        if edit.key:
            check_settings("settings", {"key": edit.key})
        for name, text in edit.values.items():
            cards.set_value(name, text)
        if edit.key is not None:
            keep_key(state_dir, edit.key)

    return await _changed(call, keep)


async def put_card(call: Call) -> schemas.SettingsView:
    """Keeps a model card, in place of one of that name."""
    edit: schemas.CardEdit = call.body
    name = call.path["name"]

    def keep() -> None:
        cards = call.session.tools.cards
        unknown = [field for field in edit.values if field not in CARD_FIELDS]
        if unknown:
            raise DceError("invalid_input", f"a card has no {unknown[0]!r}", hint=f"It has: {', '.join(CARD_FIELDS)}.")
        if edit.key:
            check_settings(f"the card {name!r}", {"key": edit.key})
        cards.put(name, {field: parsed(field, text) for field, text in edit.values.items() if text})
        if edit.key:
            cards.vault.put(name, edit.key)
        elif edit.key is not None:
            cards.vault.forget(name)

    return await _changed(call, keep)


async def delete_card(call: Call) -> schemas.SettingsView:
    """Takes a model card out, with its key. Refused while it is the default, or the latest cycle generates by it."""
    name = call.path["name"]

    def remove() -> None:
        if call.session.workspace.cycles.current().card == name:
            raise DceError("conflict", f"the latest cycle generates by {name!r}", hint="Choose another for it first.")
        call.session.tools.cards.remove(name)

    return await _changed(call, remove)


async def choose_card(call: Call) -> CycleView:
    """Sets by which card a cycle generates: by hand, by a gateway, by another server."""
    choice: schemas.CardChoice = call.body
    session, cycle = call.session, call.path["cycle"]

    def choose() -> CycleView:
        session.workspace.cycles.get(cycle)
        if choice.card and choice.card not in session.tools.servers:
            session.tools.cards.get(choice.card)
        session.workspace.cycles.set_card(cycle, choice.card)
        return views.cycle_view(session, cycle)

    view = await asyncio.to_thread(choose)
    session.changed("cycles")
    return view


async def models(call: Call) -> schemas.ModelsView:
    """Asks a server what it serves, and the models' contexts."""
    query: schemas.ServerQuery = call.body
    server = await asyncio.to_thread(_server, call.session, query)
    found = await provider_of(server).models()
    return schemas.ModelsView(models=tuple(schemas.ServedModel(id=one.id, context=one.max_model_len) for one in found))


async def examine(call: Call) -> schemas.DiagnosisView:
    """Runs the doctor on a server; each line is told as an event when it is known, the whole tree is the answer."""
    query: schemas.ServerQuery = call.body
    session = call.session
    server = await asyncio.to_thread(_server, session, query)
    if session.tools.examine is None:
        raise DceError("not_found", "this panel has no doctor", hint="Run `dce doctor` in a terminal.")

    def tell(check: Check) -> None:
        line = _line(check)
        session.tell(
            HopChecked(run=query.run, hop=line.hop, name=line.name, ok=line.ok, detail=line.detail, fix=line.fix)
        )

    question = Question(url=server.url, key=server.key, model=server.model)
    diagnosis = await session.tools.examine(question, tell)
    return schemas.DiagnosisView(
        ok=diagnosis.ok,
        failing_hop=diagnosis.failing_hop,
        code=diagnosis.code,
        checks=tuple(_line(check) for check in diagnosis.checks),
    )


def _line(check: Check) -> schemas.HopView:
    return schemas.HopView(hop=str(check.hop), name=check.name, ok=check.ok, detail=check.detail, fix=check.fix)


def _server(session: Session, query: schemas.ServerQuery) -> Settings:
    """The server as the form names it. A kept key goes only to the address that it was kept for. Raises invalid_input, not_found."""
    check_settings("the server", {"url": query.url} | ({"key": query.key} if query.key else {}))
    key = query.key
    if key is None:
        known = session.workspace.by_card(query.card).settings if query.card else session.workspace.settings
        key = known.key if known.url.rstrip("/") == query.url.rstrip("/") else None
    return Settings(url=query.url, provider=query.provider, key=key or None, model=query.model or None)


async def host(call: Call) -> schemas.HostView:
    """Where a cycle's prompt goes, and what that host says it keeps."""
    here = await asyncio.to_thread(call.session.workspace.for_cycle, call.path["cycle"])
    sending, its = here.sending, here.settings
    is_gateway = its.provider == "gateway"
    return schemas.HostView(
        host=sending.host,
        url="" if its.provider == "manual" else its.url,
        provider=its.provider,
        is_local=sending.is_local,
        is_agreed=await asyncio.to_thread(lambda: sending.is_agreed),
        notice=await fetch_notice(its.url) if is_gateway else "",
    )


async def _changed(call: Call, change: Callable[[], None]) -> schemas.SettingsView:
    """Makes a change, goes on under what is then in force, and tells every window."""

    def work() -> schemas.SettingsView:
        change()
        call.session.workspace.reload_settings()
        return _settings(call.session)

    view = await asyncio.to_thread(work)
    call.session.changed("settings")
    return view


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/settings", settings, gives=schemas.SettingsView),
    Route("PUT", "/api/settings", edit_settings, takes=schemas.SettingsEdit, gives=schemas.SettingsView),
    Route("PUT", "/api/cards/{name}", put_card, takes=schemas.CardEdit, gives=schemas.SettingsView),
    Route("DELETE", "/api/cards/{name}", delete_card, gives=schemas.SettingsView),
    Route("PUT", "/api/cycles/{cycle:int}/card", choose_card, takes=schemas.CardChoice, gives=CycleView),
    Route("GET", "/api/cycles/{cycle:int}/host", host, gives=schemas.HostView),
    Route("POST", "/api/models", models, takes=schemas.ServerQuery, gives=schemas.ModelsView),
    Route("POST", "/api/doctor", examine, takes=schemas.ServerQuery, gives=schemas.DiagnosisView),
)
