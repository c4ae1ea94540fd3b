"""prompt.md as a pure function."""

import hashlib
import re
from itertools import takewhile

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.context.prompt import (
    HISTORY_FULL_CYCLES,
    HISTORY_LINES,
    SECTIONS,
    PromptCycle,
    PromptFile,
    PromptInput,
    build,
)
from dce.workspace.preparing.prepared_prompt import shared_chars
from dce.workspace.record.prompts import Prompt
from dce.workspace.schema import SCHEMAS
from dce.workspace.settings import Settings


def file(path: str, text: str = "x = 1\n") -> PromptFile:
    return PromptFile(path=path, text=text, sha256=hashlib.sha256(text.encode()).hexdigest())


def cycle(number: int, summary: str = "", **fields: str) -> PromptCycle:
    return PromptCycle(id=number, title=f"Title {number}", context=f"context {number}", summary=summary, **fields)


def inputs(
    current: PromptCycle,
    *history: PromptCycle,
    files: tuple[PromptFile, ...] = (),
    scope: str = "",
    schema: str = "blocks",
) -> PromptInput:
    return PromptInput(cycle=current, history=history, scope=scope, files=files, schema=schema)


def section(prompt: Prompt, name: str) -> str:
    found = next(section for section in prompt.sections if section.name == name)
    return prompt.text[found.start : found.end]


def test_the_seven_sections_stand_in_order_between_their_tags() -> None:
    """The skeleton is exactly the original's."""
    prompt = build(inputs(cycle(1)))
    tags = re.findall(r"^</?(?:M\d|prompt).*>$", prompt.text, re.MULTILINE)
    names = ["M1. artifact schema", "M2. cycle overview", "M3. Interaction Schema", "M4. current project scope"]
    names += ["M5. organized artifacts list", "M6. Cycles", "M7. Flattened Repo"]
    pairs = [tag for name in names for tag in (f"<{name}>", f"</{name}>")]
    assert tags == ["<prompt.md>", *pairs, "</prompt.md>"]
    assert section(prompt, "M1").startswith(
        "<prompt.md>\n\n<M1. artifact schema>\nM1. artifact schema\nM2. cycle overview\n"
    )
    assert prompt.text.endswith("</M7. Flattened Repo>\n\n</prompt.md>\n")


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
CYCLES = st.builds(PromptCycle, id=st.integers(0, 12), title=TEXTS, context=TEXTS, ephemeral=TEXTS, summary=TEXTS)
INPUTS = st.builds(
    PromptInput,
    cycle=CYCLES,
    history=st.lists(CYCLES, max_size=9, unique_by=lambda cycle: cycle.id).map(tuple),
    scope=TEXTS,
    files=st.lists(st.builds(file, st.text("ab/.", min_size=1), TEXTS), max_size=5, unique_by=lambda f: f.path).map(
        tuple
    ),
    schema=st.sampled_from(["blocks", "tags"]),
)


@settings(deadline=None, max_examples=100)
@given(INPUTS)
def test_sections_tile_the_text_and_the_same_inputs_give_the_same_bytes(given_inputs: PromptInput) -> None:
    """Every character belongs to exactly one section; building again, or with the files in another order, changes nothing."""
    prompt = build(given_inputs)
    assert "".join(prompt.text[s.start : s.end] for s in prompt.sections) == prompt.text
    assert [s.name for s in prompt.sections] == [f"M{number}" for number in range(1, 8)]
    assert prompt.sha256 == hashlib.sha256(prompt.text.encode()).hexdigest()
    turned = PromptInput(
        cycle=given_inputs.cycle,
        history=given_inputs.history,
        scope=given_inputs.scope,
        files=given_inputs.files[::-1],
        schema=given_inputs.schema,
    )
    assert build(turned) == prompt


@settings(deadline=None, max_examples=100)
@given(INPUTS)
def test_every_file_is_whole_between_delimiters_that_no_file_can_hold(given_inputs: PromptInput) -> None:
    """The nonce occurs in no input, so each file's text can be extracted from the prompt unchanged."""
    prompt = build(given_inputs)
    for shown in given_inputs.files:
        assert prompt.nonce not in shown.text
        opener, closer = f'<file path="{shown.path}" nonce="{prompt.nonce}">\n', f'</file nonce="{prompt.nonce}">'
        body = section(prompt, "M7").split(opener)[1].split(closer)[0]
        assert body == shown.text
    assert [(entry.path, entry.sha256) for entry in prompt.manifest] == sorted(
        (f.path, f.sha256) for f in given_inputs.files
    )


def test_a_nonce_that_a_file_holds_is_not_used() -> None:
    """If a file contains the nonce, another is derived, which depends on all inputs: no file can contain them all."""
    first = build(inputs(cycle(1), files=(file("a.py"),)))
    assert first.nonce not in section(first, "M4")
    second = build(inputs(cycle(1), files=(file("a.py", first.nonce),)))
    third = build(inputs(cycle(1), files=(file("a.py", f"{first.nonce} {second.nonce}"),)))
    assert len({first.nonce, second.nonce, third.nonce}) == 3
    for held in (file(first.nonce), file("a.py", f"x{first.nonce}x")):
        assert build(inputs(cycle(1), files=(held,))).nonce != first.nonce
    for text in ("title", "context", "ephemeral", "summary"):
        changed = msgspec.structs.replace(cycle(1), **{text: first.nonce})
        assert build(inputs(changed)).nonce != first.nonce


def test_the_next_cycle_shares_the_whole_of_what_did_not_change() -> None:
    """With the stable sections first, all files come before any cycle's text; in numerical order almost no prefix is shared."""
    files = tuple(file(f"f{number}.py", f"x = {number}\n" * 50) for number in range(9))

    def pair(order: str) -> tuple[Prompt, Prompt]:
        first, second = inputs(cycle(1), files=files), inputs(cycle(2), cycle(1, summary="done"), files=files)
        return build(msgspec.structs.replace(first, order=order)), build(msgspec.structs.replace(second, order=order))

    first, second = pair("stable")
    assert [each.name for each in second.sections] == ["M1", "M3", "M4", "M5", "M7", "M2", "M6"]
    assert section(second, "M1").splitlines()[3:-2] == [SECTIONS[number - 1] for number in (1, 3, 4, 5, 7, 2, 6)]
    end_of_files = second.sections[4].end
    assert end_of_files <= shared_chars(first.text, second.text) < end_of_files + 100
    by_number, next_by_number = pair("numbered")
    assert shared_chars(by_number.text, next_by_number.text) < by_number.sections[1].end
    assert {section(next_by_number, name) for name in ("M3", "M4", "M5")} == {
        section(second, name) for name in ("M3", "M4", "M5")
    }


@given(st.text("ab", max_size=40), st.text("ab", max_size=40))
def test_what_two_texts_share_at_their_beginning(text: str, other: str) -> None:
    """The shared prefix is exactly as long as the characters agree."""
    assert shared_chars(text, other) == len(
        list(takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False)))
    )
    assert shared_chars(text, text + other) == len(text)


def test_the_overview_lists_cycles_newest_first_up_to_the_current() -> None:
    """The titles of all cycles so far are shown, newest first, on one line each; later ones and cycle 0's text are not."""
    prompt = build(inputs(cycle(3), cycle(0), cycle(1), PromptCycle(id=2, title="two\nlines", context=""), cycle(4)))
    lines = section(prompt, "M2").strip().splitlines()[1:-1]
    assert lines == [
        "Cycle 3 - Title 3",
        "Cycle 2 - two lines",
        "Cycle 1 - Title 1",
        "Cycle 0 - Project Initialization/Template Archive",
    ]


def test_cycles_carry_context_summary_and_only_the_current_ones_ephemeral() -> None:
    """M6 is newest to oldest; each cycle has its context and what the previous one did, or that nothing was chosen."""
    text = section(
        build(
            inputs(cycle(3, ephemeral="logs"), cycle(1, summary="did one\n\nplan one"), cycle(2, ephemeral="old logs"))
        ),
        "M6",
    )
    assert text.index("<Cycle 3>") < text.index("<Cycle 2>") < text.index("<Cycle 1>")
    assert "<Ephemeral Context>\nlogs\n</Ephemeral Context>" in text
    assert "old logs" not in text
    assert "<Previous Cycle 1 Summary of Actions>\ndid one\n\nplan one\n</Previous Cycle 1 Summary of Actions>" in text
    assert "<!-- No response was selected for cycle 2 -->" in text
    assert text.count("<Previous Cycle") == 2
    assert "<Cycle 0>" not in text


def test_old_cycles_shrink_to_a_line() -> None:
    """P4: beyond the history budget a cycle shrinks to one line, then to nothing: the section does not grow with the project's age."""
    history = [cycle(number, summary=f"did {number}:\n" + "much " * 100) for number in range(1, 91)]
    text = section(build(inputs(cycle(91), *history)), "M6")
    whole = [number for number in range(1, 92) if f"context {number}\n" in text]
    assert whole == list(range(91 - HISTORY_FULL_CYCLES, 92))
    lines = [line for line in text.splitlines() if "Title" in line and ": did" in line]
    assert [line.partition(": ")[0] for line in lines] == [
        f"Cycle {number} - Title {number}" for number in range(85, 85 - HISTORY_LINES, -1)
    ]
    assert max(len(line) for line in lines) < 250


def test_the_architect_speaks_in_cycle_0_only() -> None:
    """Cycle 0 asks for a plan without code; later cycles never repeat that."""
    first = section(build(inputs(cycle(0), scope="A game")), "M6")
    assert "No code yet" in first
    assert "context 0" in first
    assert "No code yet" not in build(inputs(cycle(1), cycle(0))).text


def test_empty_parts_say_that_they_are_empty() -> None:
    """Without scope, artifact list and files the original's placeholders appear; a blank context omits its tag."""
    prompt = build(inputs(PromptCycle(id=1, title="", context=" \n")))
    assert "No project scope defined." in section(prompt, "M4")
    assert "<!-- Master Artifact List (A0) not found in workspace -->" in section(prompt, "M5")
    assert "<!-- No files selected for flattening -->" in section(prompt, "M7")
    assert "Cycle Context" not in section(prompt, "M6")
    assert "\nCycle 1\n" in section(prompt, "M2")


def test_the_artifact_list_is_a_selected_file_by_its_name() -> None:
    """A selected Master Artifact List fills M5, the first by path if there are two."""
    files = (file("docs/b/A0. Master Artifact List.md", "two"), file("docs/A0. X Master Artifact List.md", "one\n"))
    assert "\none\n</M5" in section(build(inputs(cycle(1), files=files)), "M5")


@pytest.mark.parametrize("schema", sorted(SCHEMAS))
def test_every_schema_explains_itself_in_m3(schema: str) -> None:
    """M3 has the instructions of the requested schema, with the prompt's nonce if the format has one."""
    files = (file("a.py"),)
    prompt = build(inputs(cycle(1), files=files, schema=schema))
    assert SCHEMAS[schema].instructions(prompt.nonce, files).strip("\n") in section(prompt, "M3")


def test_what_cannot_be_built_is_refused() -> None:
    """An unknown schema and text that UTF-8 cannot encode are input errors, not broken bytes."""
    for bad in (inputs(cycle(1), schema="morse"), inputs(PromptCycle(id=1, title="\ud800", context=""))):
        with pytest.raises(DceError) as caught:
            build(bad)
        assert caught.value.code == "invalid_input"


def test_how_many_cycles_are_whole_can_be_set() -> None:
    """`full_cycles` sets how many cycles are full and not one line; its default changes no byte, including the nonce."""
    history = [cycle(number, summary=f"did {number}") for number in range(1, 12)]
    usual = inputs(cycle(12), *history)
    for number in (0, 2, 20):
        text = section(build(msgspec.structs.replace(usual, full_cycles=number)), "M6")
        whole = [number for number in range(1, 13) if f"context {number}\n" in text]
        assert whole == list(range(max(1, 12 - number), 13))
    assert build(msgspec.structs.replace(usual, full_cycles=HISTORY_FULL_CYCLES)) == build(usual)
    assert b"full_cycles" not in msgspec.json.encode(usual)
    assert Settings().history_cycles == HISTORY_FULL_CYCLES
