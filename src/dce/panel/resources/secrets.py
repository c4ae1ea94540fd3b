"""Possible secrets: those that a cycle's prompt would contain, a decision about each, and the workspace's allow-list.

A finding is allowed on the allow-list, which holds for the whole workspace; the other decisions are about one prompt.
"""

import asyncio
from typing import Literal

import msgspec

from dce.panel.route import Call, Route
from dce.panel.runtime import PanelRuntime
from dce.wire.errors import DceError
from dce.workspace.outbound.allowlist import allow
from dce.workspace.outbound.secrets import Finding


class FindingsView(msgspec.Struct, frozen=True, kw_only=True):
    """The possible secrets that the prompt of a cycle would send to `host`. `is_local`: that is this machine, so they stop nothing
    (prompts that are carried by hand may go anywhere).

    `hidden`: findings that are sent as placeholders. `policy`: what is done about those that nobody has decided about.
    """

    host: str
    is_local: bool
    policy: str
    findings: tuple[Finding, ...]
    hidden: tuple[Finding, ...]


class FindingDecision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to do about a finding: `placeholder` sends a placeholder instead of the value with this `fingerprint`, `show` sends the value
    again, `exclude` takes the file at `path` out of the selection."""

    act: Literal["placeholder", "show", "exclude"]
    fingerprint: str = ""
    path: str = ""


class AllowedFindings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Findings that are not secrets: fingerprints or path patterns, and the reason, for those who read the list later."""

    entries: tuple[str, ...]
    reason: str = ""


async def list_findings(call: Call) -> FindingsView:
    """The possible secrets that the prompt of a cycle would contain."""
    return await _findings_view(call.panel, call.path["cycle"])


async def decide_finding(call: Call) -> FindingsView:
    """Decides about one finding: send a placeholder instead, send the value again, or leave its file out."""
    decision: FindingDecision = call.body
    here = await asyncio.to_thread(call.panel.workspace.for_cycle, call.path["cycle"])
    if decision.act == "show":
        await asyncio.to_thread(here.sending.show, decision.fingerprint)
    elif decision.act == "exclude":
        await asyncio.to_thread(here.selection.remove, [decision.path])
    else:
        findings = (await here.preparation.build(call.path["cycle"])).findings
        finding = next((each for each in findings if each.fingerprint == decision.fingerprint), None)
        if finding is None:
            raise DceError("not_found", f"the prompt contains no finding {decision.fingerprint!r}")
        await asyncio.to_thread(here.sending.hide, finding)
    return await _findings_view(call.panel, call.path["cycle"])


async def _findings_view(panel: PanelRuntime, cycle_id: int) -> FindingsView:
    here = await asyncio.to_thread(panel.workspace.for_cycle, cycle_id)
    prepared = await here.preparation.build(cycle_id)
    return FindingsView(
        host=here.sending.host,
        is_local=not here.sending.holds_back,
        policy=here.sending.policy,
        findings=prepared.findings,
        hidden=await asyncio.to_thread(here.sending.hidden),
    )


def allow_findings(call: Call) -> AllowedFindings:
    """Adds findings that are not secrets to the workspace's allow-list; returns those that are new on it."""
    request: AllowedFindings = call.body
    if not request.entries:
        raise DceError("invalid_input", "there is nothing to allow: the request has no fingerprint and no path pattern")
    added = allow(call.panel.workspace.project, request.entries, request.reason)
    return AllowedFindings(entries=added, reason=request.reason)


_FINDINGS = "/api/cycles/{cycle:int}/findings"

ROUTES: tuple[Route, ...] = (
    Route("GET", _FINDINGS, list_findings, gives=FindingsView),
    Route("POST", _FINDINGS, decide_finding, takes=FindingDecision, gives=FindingsView, changes=("selection",)),
    Route(
        "POST",
        "/api/secrets/allow",
        allow_findings,
        takes=AllowedFindings,
        gives=AllowedFindings,
        changes=("files", "selection"),
    ),
)
