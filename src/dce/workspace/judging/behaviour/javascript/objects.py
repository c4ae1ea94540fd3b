"""Sequences of calls on objects and on functions that a function made: got the way the tests get them, used in orders that no test tries.

The acts are all that tests do with an object, each with what it needs; calls of its methods that no test makes; functions that take it.
At the end, everything that it offers without arguments is looked at. Where the module is asynchronous, some acts come at once: none
waits for the one before.
"""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.javascript.calls import assigned, needed_steps, project_root
from dce.workspace.judging.behaviour.javascript.examples import header_of
from dce.workspace.judging.behaviour.javascript.exports import Function
from dce.workspace.judging.behaviour.javascript.made_up import made_up_words
from dce.workspace.judging.behaviour.javascript.members import Members
from dce.workspace.judging.behaviour.javascript.reshaping import Known
from dce.workspace.judging.behaviour.javascript.syntax import is_broken, names_in, parsed, walk
from dce.workspace.judging.behaviour.javascript.varying import changed
from dce.workspace.judging.behaviour.javascript.visible_tests import TestFile, defined
from dce.workspace.judging.behaviour.probe import Snippet

LENGTHS = (3, 5, 8, 12)
"""How many acts there are on one object."""

MAX_SEQUENCES = 200
"""Maximum sequences for one kind of object."""

MAX_ACT = 600
"""Longest act, in characters."""

MAX_MADE_UP = 4
"""Maximum made-up calls of one method."""

CHANGED_SHARE = 0.4
"""How often an act gets another value than the test's."""

SAME_SHARE = 0.4
"""How often a sequence asks again for what it asked before."""

AT_ONCE_SHARE = 0.6
"""How often the acts on an asynchronous object do not wait for each other."""

AT_ONCE = "/* at once */ "
"""Before a step after which nothing is waited for (`in_lane.mjs` knows it)."""

_MADE = re.compile(
    r"^(?:var )?(?P<variable>[A-Za-z_$][\w$]*) = (?P<value>(?:await )?(?:new )?[\w$.]+\(.*\))$", re.DOTALL
)
_TAKEN_APART = re.compile(
    r"^var (?P<variable>[\[{][^=]*[\]}]) = (?P<value>(?:await )?(?:new )?[\w$.]+\(.*\))$", re.DOTALL
)
_ASYNCHRONOUS = re.compile(r"\b(?:async|await|Promise|setTimeout|setImmediate|queueMicrotask|process\.nextTick)\b")


class Act(msgspec.Struct, frozen=True):
    """Something done with an object. `setup`: steps that it needs and that do not use the object; `before`: those that do."""

    step: str
    setup: tuple[str, ...] = ()
    before: tuple[str, ...] = ()


_SHARED = ("var shared = { a: 1 }",)
_ASKED_ANYHOW = (
    Act("__record__(it())"),
    Act("__record__(it(undefined))"),
    Act("__record__(it(NaN))"),
    Act("__record__(it(shared))", setup=_SHARED),
    Act("__record__(it({ a: 1 }))"),
    Act('__record__(it("1"))'),
    Act("__record__(it(1, 2))"),
    Act("__record__(it([1, 2]))"),
    Act("__record__({ it, tag: 5 }.it(1))"),
)
"""Acts on a function that a function made: it may remember what it was asked, and by what."""


class _Usage(msgspec.Struct):
    """How one kind of object is used: the snippet's frame, how one is made (the steps before that, and the step), what is done with it."""

    file: TestFile | None
    header: tuple[str, ...]
    made: dict[tuple[str, tuple[str, ...]], None]
    acts: dict[Act, None]
    looks: dict[str, None]
    is_asynchronous: bool = False

    def snippet(self, steps: Sequence[str]) -> Snippet:
        """These steps, with the imports and definitions that they need."""
        return self.file.snippet(steps) if self.file is not None else Snippet(header=self.header, steps=tuple(steps))


class Offered(msgspec.Struct, frozen=True, kw_only=True):
    """What the changed modules offer: kinds of objects and functions, by path; all their versions as one text; values by the name of
    the parameter that they were given to."""

    members: Mapping[str, Sequence[Members]] = {}
    functions: Mapping[str, Sequence[Function]] = {}
    text: str = ""
    seen: Mapping[str, Sequence[str]] = {}


def object_snippets(
    tests: Sequence[tuple[TestFile, Sequence[str], frozenset[str]]],
    offered: Offered,
    rng: random.Random,
    known: Known,
) -> Iterator[Snippet]:
    """Sequences of acts on objects, kinds in turns. `tests`: file, steps and the project's names of each test."""
    usages: dict[str, _Usage] = {}
    for file, steps, own in tests:
        _add(usages, file, steps, own)
    is_asynchronous = bool(_ASYNCHRONOUS.search(offered.text))
    for usage in usages.values():
        if any(act.step.startswith("__record__(it(") for act in usage.acts):
            usage.acts |= dict.fromkeys(_ASKED_ANYHOW)
    for path, kinds in offered.members.items():
        for kind in kinds:
            _offer(usages, path, kind, offered)
    used = [usage for usage in usages.values() if usage.acts]
    for usage in used:
        usage.is_asynchronous = is_asynchronous
    for _ in range(MAX_SEQUENCES):
        for usage in used:
            yield _sequence(usage, rng, known)


def _sequence(usage: _Usage, rng: random.Random, known: Known) -> Snippet:
    acts = list(usage.acts)
    chosen = [rng.choice(acts) for _ in range(rng.choice(LENGTHS))]
    is_at_once = usage.is_asynchronous and rng.random() < AT_ONCE_SHARE
    looks = list(usage.looks)
    done: list[str] = []
    for act in chosen:
        step = changed(act.step, rng, CHANGED_SHARE, known)
        done += [one for one in act.before if one not in done]
        done.append(f"{AT_ONCE}{step}" if is_at_once and _may_be_at_once(step) and rng.random() < 0.8 else step)
        if looks and rng.random() < 0.2:
            done.append(rng.choice(looks))
    if rng.random() < SAME_SHARE:
        done += done[: rng.randrange(1, len(done) + 1)]  # what was asked before is asked again
    step, before = rng.choice(list(usage.made))
    setup = [changed(one, rng, CHANGED_SHARE / 4, known) for one in _setup(before, chosen)]
    first = changed(step, rng, CHANGED_SHARE / 2, known)
    return usage.snippet((*setup, first, *done, *looks))


def _setup(before: Sequence[str], acts: Sequence[Act]) -> dict[str, None]:
    """What stands before the object: of several values for one name, the last that an act needs."""
    return dict.fromkeys((*before, *(line for act in acts for line in act.setup)))


def _may_be_at_once(step: str) -> bool:
    return step.startswith("__record__(") and "await" not in step.split("=>", maxsplit=1)[0]


def _add(usages: dict[str, _Usage], file: TestFile, steps: Sequence[str], own: frozenset[str]) -> None:
    """What a test does with each object that it makes."""
    values = _settled(assigned([*file.definitions.values(), *steps]))
    known = own | frozenset(file.definitions) | {name for one in file.imports.found for name in one.names}
    makers = own | {name for name, text in file.definitions.items() if names_in(text) & own}
    for at, step in enumerate(steps):
        match = _MADE.match(step) or _TAKEN_APART.match(step)
        called = _called(match["value"]) if match else ""
        if match is None or called.split(".")[0] not in makers or "__" in match["value"]:
            continue
        variable, is_named = match["variable"], match["variable"][0] not in "[{"
        value = _with(match["value"], values)
        before = needed_steps(value, steps[:at], known)
        if before is None:
            continue
        key = f"{_maker(called, file, own)}{'' if is_named else variable}"
        usage = usages.setdefault(key, _Usage(file=file, header=(), made={}, acts={}, looks={}))
        usage.made.setdefault((f"var it = {value}" if is_named else f"var {variable} = {value}", before))
        names = frozenset({"it"}) if is_named else frozenset(defined(step))
        renamed = [_renamed(one, variable) if is_named else one for one in steps]
        for act in _acts(renamed, at, names, known | {"it"}, values):
            if act.step.startswith("__record__(it.") and re.fullmatch(r"__record__\(it\.[\w$]+(?:\(\))?\)", act.step):
                usage.looks.setdefault(act.step)
            usage.acts.setdefault(act)


def _acts(
    steps: Sequence[str], at: int, names: frozenset[str], known: frozenset[str], values: Mapping[str, str]
) -> Iterator[Act]:
    """What the steps after the one that makes the object do with it."""
    derived = set(names)
    for number in range(at + 1, len(steps)):
        step = steps[number]
        if not names_in(step) & derived:
            continue
        derived |= set(defined(step)) if step.startswith("var ") else set()
        rest = [one for place, one in enumerate(steps[:number]) if place != at]
        texts = [*_calls_on(step, frozenset(derived))]
        texts += [] if step.startswith("var ") else [step]
        for text in map(_without_waiting, texts):
            needed = needed_steps(_with(text, values), rest, known | names)
            if needed is not None and len(text) <= MAX_ACT and not is_broken(text):
                uses = [one for one in needed if names_in(one) & derived]
                yield Act(_with(text, values), tuple(one for one in needed if one not in uses), tuple(uses))


def _calls_on(step: str, names: frozenset[str]) -> Iterator[str]:
    """The calls and properties in a step that use one of these names, as steps that record."""
    source = parsed(step)
    for node in walk(source.root):
        parent = node.parent
        if node.type not in {"call_expression", "member_expression"} or parent is None:
            continue
        if node.type == "member_expression" and parent.type in {
            "call_expression",
            "member_expression",
            "assignment_expression",
        }:
            continue
        if parent.type == "member_expression" or _is_deferred(node):
            continue
        at = node.child_by_field_name("function") if node.type == "call_expression" else node
        root = project_root(source, at)
        given = node.child_by_field_name("arguments")
        words = {source.text(one) for one in given.named_children} if given is not None else set()
        if root.startswith("__") or not (root in names or words & names):
            continue
        text = source.text(node)
        if "__" not in text:
            yield f"__record__({text})"


def _without_waiting(step: str) -> str:
    """A promise that is recorded is followed anyway; a step that waits for one that never settles would end the probe."""
    source = parsed(step)
    call = source.root.named_children[0].named_children[0] if source.root.named_children else None
    given = call.child_by_field_name("arguments") if call is not None and call.type == "call_expression" else None
    one = given.named_children[0] if given is not None and len(given.named_children) == 1 else None
    if one is None or one.type != "await_expression" or not step.startswith("__record__("):
        return step
    inner = one.named_children[0]
    text = source.text(inner)
    return f"__record__({text[1:-1] if inner.type == 'parenthesized_expression' else text})"


def _is_deferred(node: object) -> bool:
    """Whether a piece of source stands in a function, which may be called later or often."""
    at = getattr(node, "parent", None)
    while at is not None:
        if at.type in {
            "arrow_function",
            "function_expression",
            "function_declaration",
            "for_in_statement",
            "for_statement",
        }:
            body = at.child_by_field_name("body")
            return not (at.type == "arrow_function" and body is not None and body == node)
        at = at.parent
    return False


def _offer(usages: dict[str, _Usage], path: str, kind: Members, offered: Offered) -> None:
    """Adds calls of the methods that no test calls, functions that take the object, and what can be looked at."""
    used = [usage for key, usage in usages.items() if key == kind.name]
    if not used:
        usage = _made_up(path, kind, offered)
        if usage is None:
            return
        usages[kind.name] = usage
        used = [usage]
    (usage,) = used
    for method in kind.methods:
        words = made_up_words(method, offered.seen)[:MAX_MADE_UP]
        usage.acts |= dict.fromkeys(Act(f"__record__(it.{method.name}({given}))") for given in words)
        if not any(not parameter.is_optional for parameter in method.parameters):
            usage.looks.setdefault(f"__record__(it.{method.name}())")
    usage.looks |= dict.fromkeys(f"__record__(it.{getter})" for getter in kind.getters)


def _made_up(path: str, kind: Members, offered: Offered) -> _Usage | None:
    if not re.fullmatch(r"[A-Za-z_$][\w$]*", kind.name):
        return None
    maker = Function(kind.name, kind.exported, kind.made_with)
    made: dict[tuple[str, tuple[str, ...]], None] = {
        (f"var it = {'new ' if kind.is_class else ''}{kind.name}({words})", ()): None
        for words in made_up_words(maker, offered.seen)[:MAX_MADE_UP]
    }
    return _Usage(file=None, header=header_of(path, [maker], [kind.name]), made=made, acts={}, looks={})


def _settled(values: Mapping[str, str]) -> dict[str, str]:
    """The values that stay as they are: a list or an object that a test holds may be where its functions put what they saw."""
    return {name: text for name, text in values.items() if not text.startswith(("[", "{"))}


def _called(value: str) -> str:
    """What the first call in a piece of source calls."""
    source = parsed(value)
    call = next((node for node in walk(source.root) if node.type in {"call_expression", "new_expression"}), None)
    if call is None or source.root.has_error:
        return ""
    function = call.child_by_field_name("function") or call.child_by_field_name("constructor")
    return source.text(function) if function is not None else ""


def _maker(called: str, file: TestFile, own: frozenset[str]) -> str:
    """The class or function of the project that makes the object, if a test's own function does so with it."""
    text = file.definitions.get(called, "")
    found: Iterable[str] = re.findall(r"new ([\w$]+)\(", text) if called not in own else ()
    return next((name for name in found if name in own), called)


def _renamed(text: str, variable: str) -> str:
    """A piece of source in which the object is called `it`."""
    source = parsed(text)
    changes = [
        (node, "it" if node.type == "identifier" else f"{variable}: it")
        for node in walk(source.root)
        if node.type in {"identifier", "shorthand_property_identifier"} and source.text(node) == variable
    ]
    return source.rewritten(source.root, changes)


def _with(text: str, values: Mapping[str, str]) -> str:
    """A piece of source with the values of names in their place."""
    source = parsed(text)
    changes = [
        (node, f"({values[name]})" if "=>" in values[name] else values[name])
        for node in walk(source.root)
        if node.type == "identifier" and (name := source.text(node)) in values and name != "it"
    ]
    return source.rewritten(source.root, changes)
