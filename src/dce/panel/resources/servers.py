"""A model server as it is being configured: the models that it serves, and the doctor's diagnosis of it.

What must always hold: the key saved for one server never goes to another.
"""

import asyncio

import msgspec

from dce.panel.resources.settings import Provider
from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.panel.tools import Check, DoctorTarget
from dce.wire.errors import DceError
from dce.wire.urls import same_server, with_scheme
from dce.workspace.events import HopChecked
from dce.workspace.generating.providers import provider_of
from dce.workspace.settings import Settings, check_settings


class ServerQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server as the form describes it. `key` None: the key saved for `card` ("" the settings), which is used only for the server that
    it was saved for. `run` names the diagnosis in events. `is_agreed`: the person who asks agrees that this host is contacted."""

    url: str
    provider: Provider = "gateway"
    key: str | None = None
    card: str = ""
    model: str | None = None
    run: str = ""
    is_agreed: bool = False


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a server serves, and its context in tokens if the server says so."""

    id: str
    context: int | None


class ModelsView(msgspec.Struct, frozen=True, kw_only=True):
    """The models that a server serves, the default first."""

    models: tuple[ServedModel, ...]


class HopView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a diagnosis. `ok` None: not tried, because an earlier one failed."""

    hop: str
    name: str
    ok: bool | None
    detail: str
    fix: str


class DiagnosisView(msgspec.Struct, frozen=True, kw_only=True):
    """The doctor's diagnosis, hop by hop."""

    ok: bool
    failing_hop: str | None
    code: str | None
    checks: tuple[HopView, ...]


async def list_models(call: Call) -> ModelsView:
    """Asks a server for the models that it serves, and their contexts."""
    server = await asyncio.to_thread(_server, call.panel, call.body)
    found = await provider_of(server).models()
    return ModelsView(models=tuple(ServedModel(id=one.id, context=one.max_model_len) for one in found))


async def diagnose(call: Call) -> DiagnosisView:
    """Runs the doctor on a server. Each line is published as an event when it is known; the response has all of them."""
    query: ServerQuery = call.body
    panel = call.panel
    server = await asyncio.to_thread(_server, panel, query)
    if panel.tools.examine is None:
        raise DceError("not_found", "this panel has no doctor", hint="Run `dce doctor` in a terminal.")

    def publish(check: Check) -> None:
        line = _line(check)
        panel.publish(
            HopChecked(run=query.run, hop=line.hop, name=line.name, ok=line.ok, detail=line.detail, fix=line.fix)
        )

    target = DoctorTarget(url=server.url, key=server.key, model=server.model)
    diagnosis = await panel.tools.examine(target, publish)
    return DiagnosisView(
        ok=diagnosis.ok,
        failing_hop=diagnosis.failing_hop,
        code=diagnosis.code,
        checks=tuple(_line(check) for check in diagnosis.checks),
    )


def _line(check: Check) -> HopView:
    return HopView(hop=str(check.hop), name=check.name, ok=check.ok, detail=check.detail, fix=check.fix)


def _server(panel: PanelRuntime, query: ServerQuery) -> Settings:
    """The settings of the server in the form, with the saved key if it was saved for that address.

    Raises invalid_input, not_found, and consent_needed for a host that nobody has agreed to contact: the form may show the address of a
    committed file.
    """
    url = with_scheme(query.url)
    check_settings("the server", {"url": url} | ({"key": query.key} if query.key else {}))
    consents = panel.workspace.sending.consents
    if query.is_agreed:
        consents.give(url)
    consents.require(url, "ask it for its models, with the key")
    saved: Settings | None = None
    if query.key is None:
        saved = panel.workspace.by_card(query.card).settings if query.card else panel.workspace.settings
        saved = saved if same_server(saved.url, url) else None
    return Settings(
        url=url,
        provider=query.provider,
        key=(saved.key if saved else query.key) or None,
        model=query.model or None,
        headers=saved.headers if saved else {},
    )


ROUTES: tuple[Route, ...] = (
    Route("POST", "/api/models", list_models, takes=ServerQuery, gives=ModelsView),
    Route("POST", "/api/doctor", diagnose, takes=ServerQuery, gives=DiagnosisView),
)
