"""Where a cycle's prompt goes, what would leave this machine, and the consent to that.

What must always hold: consent names the host that was shown, so that nobody consents to a host that a changed setting put in its place.
"""

import asyncio

import msgspec

from dce.panel.resources.settings import Provider
from dce.panel.route import Call, Route
from dce.wire.errors import DceError
from dce.workspace.generating.privacy import fetch_notice
from dce.workspace.outbound.secrets import Finding
from dce.workspace.workspace import Workspace


class HostView(msgspec.Struct, frozen=True, kw_only=True):
    """The host that a cycle's prompt goes to. `notice`: its own statement of what it keeps, "" if it has none or cannot be reached; None
    if it was not asked for it, because nobody has agreed to contact this host."""

    host: str
    url: str
    provider: Provider
    is_local: bool
    is_agreed: bool
    notice: str | None


class SendingView(msgspec.Struct, frozen=True, kw_only=True):
    """What Generate would send now. `size` is in bytes, `files` are paths. `findings`: possible secrets in it that nobody has allowed; with
    any of them nothing goes to another host. `policy`: what is done about them."""

    host: str
    is_local: bool
    is_agreed: bool
    size: int
    files: tuple[str, ...]
    findings: tuple[Finding, ...]
    policy: str


class Consent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The host that was shown to the person who consents."""

    host: str


async def show_host(call: Call) -> HostView:
    """The host that a cycle's prompt goes to, and its statement of what it keeps.

    Before anybody has agreed to the host, it is asked for its statement only if the user wants to see it (`notice=yes`): without key
    or prompt.
    """
    here = await asyncio.to_thread(call.panel.workspace.for_cycle, call.path["cycle"])
    sending, settings = here.sending, here.settings
    is_agreed = await asyncio.to_thread(lambda: sending.is_agreed)
    is_asked = is_agreed or call.query.get("notice") == "yes"
    return HostView(
        host=sending.host,
        url="" if settings.provider == "manual" else settings.url,
        provider=settings.provider,
        is_local=sending.is_local,
        is_agreed=is_agreed,
        notice="" if settings.provider != "gateway" else await fetch_notice(settings.url) if is_asked else None,
    )


async def show_sending(call: Call) -> SendingView:
    """What would be sent where; nothing is sent."""
    here = await asyncio.to_thread(call.panel.workspace.for_cycle, call.path["cycle"])
    return await _sending_view(here, call.path["cycle"])


async def give_consent(call: Call) -> SendingView:
    """Consents to sending to this host; the workspace remembers it."""
    consent: Consent = call.body
    here = await asyncio.to_thread(call.panel.workspace.for_cycle, call.path["cycle"])
    if consent.host != here.sending.host:
        raise DceError("conflict", f"the consent is for {consent.host!r}, but prompts now go to {here.sending.host!r}")
    await asyncio.to_thread(here.sending.agree)
    return await _sending_view(here, call.path["cycle"])


async def _sending_view(here: Workspace, cycle_id: int) -> SendingView:
    prepared = await here.preparation.build(cycle_id)
    return await asyncio.to_thread(
        lambda: SendingView(
            host=here.sending.host,
            is_local=here.sending.is_local,
            is_agreed=here.sending.is_agreed,
            size=len(prepared.prompt.text.encode()),
            files=tuple(file.path for file in prepared.files),
            findings=prepared.findings,
            policy=here.sending.policy,
        )
    )


_CYCLE = "/api/cycles/{cycle:int}"

ROUTES: tuple[Route, ...] = (
    Route("GET", _CYCLE + "/host", show_host, gives=HostView, query=("notice",)),
    Route("GET", _CYCLE + "/sending", show_sending, gives=SendingView),
    Route("POST", _CYCLE + "/consent", give_consent, takes=Consent, gives=SendingView, changes=("settings",)),
)
