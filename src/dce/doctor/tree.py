"""Runs the steps from hop to hop: probe, judge, stop at the first failure. A new check is a new row of `STEPS`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from dce.doctor.findings import Check, Diagnosis, Failure, Finding, Reply, TokenProbe, failing
from dce.doctor.http import REDACTED
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
from dce.doctor.judge_network import judge_connection, judge_environment, judge_name, judge_tls
from dce.doctor.judge_passage import judge_body, judge_delete, judge_silence
from dce.doctor.probe import Probe
from dce.doctor.target import Target, read_target
from dce.wire.errors import CODES, DceError, Hop

SILENCE_S = 18.0
"""How long a quiet stream must survive: longer than the 15 s after which a gateway sends a heartbeat."""

MAX_TOTAL_S = 240.0
"""The whole diagnosis ends within this time and the silence, whatever the servers do. A healthy one takes a few seconds."""


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What to diagnose: a gateway's URL, the key (None: not set), the model (None: whatever is served), and what the workspace
    expects: `context` and `max_tokens`, in tokens (None: not set). `silence_s`: how long a stream is left quiet (0: not at all). `total_s`: how long the whole may take
    beyond that."""

    url: str
    key: str | None = None
    model: str | None = None
    context: int | None = None
    max_tokens: int | None = None
    silence_s: float = SILENCE_S
    total_s: float = MAX_TOTAL_S

    def __repr__(self) -> str:
        return f"Options(url={self.url!r}, model={self.model!r})"


class Run:
    """One run through the steps. A reply that several steps need is requested once."""

    def __init__(self, options: Options, target: Target, probe: Probe) -> None:
        self.options = options
        self.target = target
        self.probe = probe
        self._replies: dict[str, Reply] = {}
        self._token: TokenProbe | None = None

    async def health(self) -> Reply:
        """`/healthz`."""
        return await self._once("health", self.probe.health)

    async def models(self) -> Reply:
        """The served models."""
        return await self._once("models", self.probe.models)

    async def token(self) -> TokenProbe:
        """One token through the chain."""
        if self._token is None:
            self._token = await self.probe.streams.token(self.options.model)
        return self._token

    async def _once(self, name: str, ask: Callable[[], Awaitable[Reply]]) -> Reply:
        if name not in self._replies:
            self._replies[name] = await ask()
        return self._replies[name]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the tree: its name, the hop it tests, and how."""

    hop: Hop
    name: str
    ask: Callable[[Run], Awaitable[Finding]]
    applies: Callable[[Target], bool] = lambda _: True
    notice: Callable[[Options], str] = lambda _: ""
    """What is said before a step that takes long."""


async def _environment(run: Run) -> Finding:
    return judge_environment(run.probe.environment, run.target)


async def _dns(run: Run) -> Finding:
    return judge_name(await run.probe.resolve(), run.target)


async def _tcp(run: Run) -> Finding:
    return judge_connection(await run.probe.connect(), run.target)


async def _tls(run: Run) -> Finding:
    return judge_tls(await run.probe.handshake(), run.target)


async def _gateway(run: Run) -> Finding:
    reply = await run.health()
    is_ours = is_gateway(reply)
    at_root = await run.probe.health_at_root() if run.target.prefix and not is_ours else None
    replies = {} if is_ours or isinstance(reply, Failure) else await run.probe.at_root(IDENTITY_PATHS)
    return judge_gateway(reply, at_root, replies, run.target)


async def _clock(run: Run) -> Finding:
    return judge_clock(await run.health())


async def _route(run: Run) -> Finding:
    return judge_route(await run.probe.route(), run.target)


async def _key(run: Run) -> Finding:
    return judge_key(await run.models(), bool(run.options.key), run.target)


async def _body(run: Run) -> Finding:
    return judge_body(await run.probe.body(), run.target)


async def _delete(run: Run) -> Finding:
    return judge_delete(await run.probe.delete(), run.target)


async def _silence(run: Run) -> Finding:
    return judge_silence(await run.probe.streams.silent(run.options.silence_s), run.target)


async def _backend(run: Run) -> Finding:
    reply = await run.probe.ready()
    return judge_backend(reply, None if is_ready(reply) else await run.token(), run.target)


async def _model(run: Run) -> Finding:
    return judge_model(await run.models(), run.options.model, run.target)


async def _context(run: Run) -> Finding:
    asked = run.options
    return judge_context(await run.models(), asked.model, asked.context, asked.max_tokens)


async def _limits(run: Run) -> Finding:
    return judge_limits(await run.token(), time.time())


async def _token(run: Run) -> Finding:
    return judge_token(await run.token(), run.target)


async def _streaming(run: Run) -> Finding:
    return judge_streaming(await run.probe.streams.paced(), run.target)


async def _cancellation(run: Run) -> Finding:
    return judge_cancellation(await run.probe.streams.dropped(run.options.model), run.target)


STEPS: tuple[Step, ...] = (
    Step(hop=Hop.CLIENT, name="environment", ask=_environment),
    Step(hop=Hop.GATEWAY, name="dns", ask=_dns),
    Step(hop=Hop.GATEWAY, name="tcp", ask=_tcp),
    # Through an HTTP proxy, the handshake is tunnelled: the gateway step then reports what went wrong.
    Step(hop=Hop.GATEWAY, name="tls", ask=_tls, applies=lambda target: target.scheme == "https" and not target.proxy),
    Step(hop=Hop.GATEWAY, name="gateway", ask=_gateway),
    Step(hop=Hop.GATEWAY, name="clock", ask=_clock),
    Step(hop=Hop.GATEWAY, name="route", ask=_route),
    Step(hop=Hop.GATEWAY, name="key", ask=_key),
    Step(hop=Hop.GATEWAY, name="body", ask=_body),
    Step(hop=Hop.BACKEND, name="backend", ask=_backend),
    Step(hop=Hop.MODEL, name="model", ask=_model),
    Step(hop=Hop.MODEL, name="context", ask=_context),
    Step(hop=Hop.GATEWAY, name="limits", ask=_limits),
    Step(hop=Hop.MODEL, name="token", ask=_token),
    Step(hop=Hop.GATEWAY, name="streaming", ask=_streaming),
    Step(
        hop=Hop.GATEWAY,
        name="silence",
        ask=_silence,
        notice=lambda options: f"leaving a stream quiet for {options.silence_s:g} s" if options.silence_s > 0 else "",
    ),
    Step(hop=Hop.GATEWAY, name="delete", ask=_delete),
    Step(hop=Hop.BACKEND, name="cancel", ask=_cancellation),
)

NOT_TRIED = "not tried"


async def examine(
    options: Options,
    environ: Mapping[str, str],
    on_check: Callable[[Check], None] = lambda _: None,
    on_notice: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Runs every step. `on_check` is called with each line as soon as it is known, `on_notice` with a word before a step that takes long.
    Never raises for what a server does."""
    began = time.monotonic()
    try:
        target = read_target(options.url, environ)
    except DceError as error:
        return _unreadable(error, on_check)
    deadline = asyncio.get_running_loop().time() + options.total_s + options.silence_s
    checks: list[Check] = []
    code: str | None = None
    # Made in a thread: it reads the certificate authorities, and a panel runs the doctor in the loop that serves its windows.
    async with await asyncio.to_thread(Probe, target, options.key, environ) as probe:
        run = Run(options, target, probe)
        for step in STEPS:
            if not step.applies(target):
                continue
            if code:
                checks.append(Check(hop=step.hop, name=step.name, ok=None, detail=NOT_TRIED))
            else:
                if notice := step.notice(options):
                    on_notice(notice)
                finding = await _within(deadline, step, run)
                code = finding.code or None
                checks.append(_check(step, finding, options.key))
            on_check(checks[-1])
    failed = next((check for check in checks if check.ok is False), None)
    return Diagnosis(
        ok=failed is None,
        failing_hop=failed.hop if failed else None,
        code=code,
        checks=tuple(checks),
        elapsed_s=round(time.monotonic() - began, 3),
    )


async def _within(deadline: float, step: Step, run: Run) -> Finding:
    """What a step finds, or that the whole diagnosis takes too long."""
    try:
        async with asyncio.timeout_at(deadline):
            return await step.ask(run)
    except TimeoutError:
        detail = f"the diagnosis took longer than {run.options.total_s + run.options.silence_s:g} s and was stopped at this step"
        return failing(
            "gateway_timeout", detail, "Every answer so far was slow: try again on a faster or less busy line."
        )


def _check(step: Step, finding: Finding, key: str | None) -> Check:
    # The hop at fault is the error's own: a missing backend may first show in the model step.
    hop = finding.hop or (CODES[finding.code].hop if finding.code else step.hop)
    # Answers come without the key; an exception's text might hold it.
    detail, fix = (text.replace(key, REDACTED) if key else text for text in (finding.detail, finding.fix))
    return Check(hop=str(hop), name=step.name, ok=not finding.code, detail=detail, fix=fix)


def _unreadable(error: DceError, on_check: Callable[[Check], None]) -> Diagnosis:
    finding = failing(error.code, error.message, error.hint)
    check = Check(hop=str(error.hop), name="url", ok=False, detail=finding.detail, fix=finding.fix)
    rest = tuple(Check(hop=str(step.hop), name=step.name, ok=None, detail=NOT_TRIED) for step in STEPS)
    for line in (check, *rest):
        on_check(line)
    return Diagnosis(ok=False, failing_hop=check.hop, code=error.code, checks=(check, *rest))
