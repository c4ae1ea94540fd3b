"""What would leave this machine and where to; agreeing to it, and saying that a finding is no secret.

What must always hold: agreeing names the host that was shown, so that a setting changed meanwhile is not agreed to by mistake.
"""

import asyncio

import msgspec

from dce.panel.route import Call, Route
from dce.wire.errors import DceError
from dce.workspace.outbound.allowlist import allow
from dce.workspace.outbound.secrets import Finding
from dce.workspace.workspace import Workspace


class SendingView(msgspec.Struct, frozen=True, kw_only=True):
    """What Generate would send now. `size` in bytes; `files` are paths; `findings`: secrets in it that nobody has allowed, none of
    which goes to another host. `policy`: what is done about them."""

    host: str
    is_local: bool
    is_agreed: bool
    size: int
    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    policy: str


class Consent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The host that was shown."""

    host: str


class Allowed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Findings that are no secrets: fingerprints, or path patterns; and why, for those who read the list later."""

    entries: tuple[str, ...]
    reason: str = ""


async def sending(call: Call) -> SendingView:
    """What this cycle's prompt would send where."""
    here = await asyncio.to_thread(call.session.workspace.for_cycle, call.path["cycle"])
    return await _view(here, call.path["cycle"])


async def _view(here: Workspace, cycle: int) -> SendingView:
    prepared = await here.preparation.build(cycle)
    return SendingView(
        host=here.sending.host,
        is_local=here.sending.is_local,
        is_agreed=await asyncio.to_thread(lambda: here.sending.is_agreed),
        size=len(prepared.prompt.text.encode()),
        files=tuple(file.path for file in prepared.files),
        findings=prepared.findings,
        policy=here.sending.policy,
    )


async def consent(call: Call) -> SendingView:
    """Agrees that this cycle's host may have what the workspace sends; remembered for the workspace."""
    agreed: Consent = call.body
    here = await asyncio.to_thread(call.session.workspace.for_cycle, call.path["cycle"])
    if agreed.host != here.sending.host:
        raise DceError(
            "conflict", f"what was agreed to is {agreed.host!r}, but prompts now go to {here.sending.host!r}"
        )
    await asyncio.to_thread(here.sending.agree)
    call.session.changed("settings")
    return await _view(here, call.path["cycle"])


async def allow_findings(call: Call) -> Allowed:
    """Writes findings that are no secrets into the workspace's allow-list; answers with those that were not in it."""
    order: Allowed = call.body
    project = call.session.workspace.project
    if not order.entries:
        raise DceError("invalid_input", "there is nothing to allow: no fingerprint and no path")
    added = await asyncio.to_thread(allow, project, order.entries, order.reason)
    for what in ("files", "selection"):
        call.session.changed(what)
    return Allowed(entries=added, reason=order.reason)


ROUTES: tuple[Route, ...] = (
    Route("GET", "/api/cycles/{cycle:int}/sending", sending, gives=SendingView),
    Route("POST", "/api/cycles/{cycle:int}/consent", consent, takes=Consent, gives=SendingView),
    Route("POST", "/api/secrets/allow", allow_findings, takes=Allowed, gives=Allowed),
)
