"""The walk from hop to hop: ask, judge, stop at the first that fails. A new check is a new row of `STEPS`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from dce.doctor.findings import Check, Diagnosis, Failure, Finding, Reply, Streamed, failing
from dce.doctor.judge_gateway import (
    IDENTITY_PATHS,
    is_gateway,
    judge_clock,
    judge_gateway,
    judge_key,
    judge_route,
)
from dce.doctor.judge_model import (
    is_ready,
    judge_backend,
    judge_cancellation,
    judge_context,
    judge_limits,
    judge_model,
    judge_streaming,
    judge_token,
)
from dce.doctor.judge_network import judge_connection, judge_name, judge_tls
from dce.doctor.probe import Probe
from dce.doctor.target import Target, read_target
from dce.wire.errors import CODES, DceError, Hop


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor is asked: a gateway's URL, the key (None: none set), the model (None: whatever is served), and what the
    workspace counts on: `context` and `max_tokens`, in tokens (None: not set)."""

    url: str
    key: str | None = None
    model: str | None = None
    context: int | None = None
    max_tokens: int | None = None

    def __repr__(self) -> str:
        return f"Question(url={self.url!r}, model={self.model!r})"


class Case:
    """A question on its way through the steps. What several steps look at is asked for once."""

    def __init__(self, question: Question, target: Target, probe: Probe) -> None:
        self.question = question
        self.target = target
        self.probe = probe
        self._replies: dict[str, Reply] = {}
        self._token: Streamed | None = None

    async def health(self) -> Reply:
        """`/healthz`."""
        return await self._once("health", self.probe.health)

    async def models(self) -> Reply:
        """The served models."""
        return await self._once("models", self.probe.models)

    async def token(self) -> Streamed:
        """One token through the chain."""
        if self._token is None:
            self._token = await self.probe.streams.token(self.question.model)
        return self._token

    async def _once(self, name: str, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        if name not in self._replies:
            self._replies[name] = await ask()
        return self._replies[name]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the tree: what it is called, the hop that it shows to be well, and how it is found out."""

    hop: Hop
    name: str
    ask: Callable[[Case], Awaitable[Finding]]
    applies: Callable[[Target], bool] = lambda _: True


async def _dns(case: Case) -> Finding:
    return judge_name(await case.probe.resolve(), case.target)


async def _tcp(case: Case) -> Finding:
    return judge_connection(await case.probe.connect(), case.target)


async def _tls(case: Case) -> Finding:
    return judge_tls(await case.probe.handshake(), case.target)


async def _gateway(case: Case) -> Finding:
    reply = await case.health()
    is_ours = is_gateway(reply)
    at_root = await case.probe.health_at_root() if case.target.prefix and not is_ours else None
    told = {} if is_ours or isinstance(reply, Failure) else await case.probe.at_root(IDENTITY_PATHS)
    return judge_gateway(reply, at_root, told, case.target)


async def _clock(case: Case) -> Finding:
    return judge_clock(await case.health())


async def _route(case: Case) -> Finding:
    return judge_route(await case.probe.route(), case.target)


async def _key(case: Case) -> Finding:
    return judge_key(await case.models(), bool(case.question.key), case.target)


async def _backend(case: Case) -> Finding:
    reply = await case.probe.ready()
    return judge_backend(reply, None if is_ready(reply) else await case.token(), case.target)


async def _model(case: Case) -> Finding:
    return judge_model(await case.models(), case.question.model, case.target)


async def _context(case: Case) -> Finding:
    asked = case.question
    return judge_context(await case.models(), asked.model, asked.context, asked.max_tokens)


async def _limits(case: Case) -> Finding:
    return judge_limits(await case.token(), time.time())


async def _token(case: Case) -> Finding:
    return judge_token(await case.token())


async def _streaming(case: Case) -> Finding:
    return judge_streaming(await case.probe.streams.paced(), case.target)


async def _cancellation(case: Case) -> Finding:
    return judge_cancellation(await case.probe.streams.dropped(case.question.model))


STEPS: tuple[Step, ...] = (
    Step(hop=Hop.GATEWAY, name="dns", ask=_dns),
    Step(hop=Hop.GATEWAY, name="tcp", ask=_tcp),
    # Through an HTTP proxy the handshake is the proxy's to carry: the gateway step then says what went wrong.
    Step(hop=Hop.GATEWAY, name="tls", ask=_tls, applies=lambda target: target.scheme == "https" and not target.proxy),
    Step(hop=Hop.GATEWAY, name="gateway", ask=_gateway),
    Step(hop=Hop.GATEWAY, name="clock", ask=_clock),
    Step(hop=Hop.GATEWAY, name="route", ask=_route),
    Step(hop=Hop.GATEWAY, name="key", ask=_key),
    Step(hop=Hop.BACKEND, name="backend", ask=_backend),
    Step(hop=Hop.MODEL, name="model", ask=_model),
    Step(hop=Hop.MODEL, name="context", ask=_context),
    Step(hop=Hop.GATEWAY, name="limits", ask=_limits),
    Step(hop=Hop.MODEL, name="token", ask=_token),
    Step(hop=Hop.GATEWAY, name="streaming", ask=_streaming),
    Step(hop=Hop.BACKEND, name="cancel", ask=_cancellation),
)

NOT_TRIED = "not tried"


async def examine(
    question: Question, environ: Mapping[str, str], on_check: Callable[[Check], None] = lambda _: None
) -> Diagnosis:
    """Walks the tree. `on_check` gets every line as it is known. Never raises for what a server does or fails to do."""
    try:
        target = read_target(question.url, environ)
    except DceError as error:
        return _unreadable(error, on_check)
    checks: list[Check] = []
    code: str | None = None
    # Made in a thread: it reads the certificate authorities, and a panel runs the doctor in the loop that serves its windows.
    async with await asyncio.to_thread(Probe, target, question.key, environ) as probe:
        case = Case(question, target, probe)
        for step in STEPS:
            if not step.applies(target):
                continue
            if code:
                checks.append(Check(hop=step.hop, name=step.name, ok=None, detail=NOT_TRIED))
            else:
                finding = await step.ask(case)
                code = finding.code or None
                checks.append(_check(step, finding))
            on_check(checks[-1])
    failed = next((check for check in checks if check.ok is False), None)
    return Diagnosis(ok=failed is None, failing_hop=failed.hop if failed else None, code=code, checks=tuple(checks))


def _check(step: Step, finding: Finding) -> Check:
    # The hop at fault is the error's own: a missing backend can show itself while the model is asked about.
    hop = CODES[finding.code].hop if finding.code else step.hop
    return Check(hop=str(hop), name=step.name, ok=not finding.code, detail=finding.detail, fix=finding.fix)


def _unreadable(error: DceError, on_check: Callable[[Check], None]) -> Diagnosis:
    finding = failing(error.code, error.message, error.hint)
    check = Check(hop=str(error.hop), name="url", ok=False, detail=finding.detail, fix=finding.fix)
    rest = tuple(Check(hop=str(step.hop), name=step.name, ok=None, detail=NOT_TRIED) for step in STEPS)
    for line in (check, *rest):
        on_check(line)
    return Diagnosis(ok=False, failing_hop=check.hop, code=error.code, checks=(check, *rest))
