"""The default schema: what the model is told, and the reader for what it writes."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dce.workspace.schema import FileBlock, Reading, read_answer
from dce.workspace.schema.blocks import BlocksSchema
from dce.workspace.schema.reading import file_block

NONCE = "3f9a1c"
HEAD = "<summary>\nDid it.\n</summary>\n<plan>\n1. Step\n</plan>\n<activity>\nRun it.\n</activity>\n\n"
OPENER = f'<file path="a.py" nonce="{NONCE}">\n'
CLOSER = f'</file nonce="{NONCE}">'


def read(text: str, *, is_truncated: bool = False) -> Reading:
    return read_answer(text, "blocks", NONCE, is_truncated)


def block(path: str, content: str) -> str:
    return file_block(path, content, NONCE)


def only(reading: Reading) -> FileBlock:
    (file,) = reading.files
    return file


def test_the_instructions_show_the_form_that_the_reader_reads() -> None:
    """An answer that copies the instructions' example parses without repair."""
    instructions = BlocksSchema().instructions(NONCE, ())
    reading = read(instructions[instructions.index("<summary>") : instructions.index("Rules:")])
    assert reading.parse == "ok"
    assert reading.files == (FileBlock(path="path/to/file.ext", content="the whole file\n"),)
    assert all(word in instructions for word in ("whole", "rest unchanged", "only for files", "relative", NONCE))


def test_a_well_formed_answer_is_taken_apart() -> None:
    """Summary, plan, activity and files come out; nothing is flagged or noted."""
    assert read(HEAD + block("a.py", "x = 1\n") + "\n\n" + block("b/c.py", "") + "\n") == Reading(
        summary="Did it.",
        plan="1. Step",
        activity="Run it.",
        files=(FileBlock(path="a.py", content="x = 1\n"), FileBlock(path="b/c.py", content="")),
    )


CONTENT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80) | st.lists(
    st.sampled_from(
        [*"\n\r `", "</file>", '<file path="x">', "<summary>", "</think>", "assistantfinal", "\n</file nonce='zz'>\n"]
    ),
    max_size=12,
).map("".join)


@settings(deadline=None, max_examples=200)
@given(st.lists(CONTENT, min_size=1, max_size=4), st.sampled_from(["", "\n", "\n\n"]))
def test_any_file_text_comes_back_to_the_byte(contents: list[str], between: str) -> None:
    """The text between opener and closer is the file, whatever it contains: no tag in it ends it, nothing is trimmed."""
    assume(
        not any("```" in content or NONCE in content for content in contents)
    )  # a fence around a whole file is removed
    expected = {f"f{number}.py": content for number, content in enumerate(contents)}
    reading = read(HEAD + between.join(block(path, content) for path, content in expected.items()))
    assert {file.path: file.content for file in reading.files} == expected
    assert reading.summary == "Did it."
    for file in reading.files:
        slip = "</" in file.content.partition("<file path")[0] and '<file path="x">' in file.content
        assert file.status == "complete" or (slip and file.status == "ambiguous")


def test_two_forgotten_nonces_are_no_silent_loss() -> None:
    """A closing tag without the nonce, followed by an opening tag of another file, makes a block ambiguous although it ends well."""
    reading = read(HEAD + OPENER + f'x\n</file>\n<file path="b.py">\ny\n{CLOSER}')
    assert (only(reading).path, only(reading).status) == ("a.py", "ambiguous")
    assert any("b.py" in note for note in reading.notes)


@pytest.mark.parametrize("glue", ["```", "Here: ", "</summary>", "- "])
def test_a_tag_with_the_nonce_may_be_glued_to_anything(glue: str) -> None:
    """Text, a fence or a tag before an opening tag, or a fence after it or before the closing one, does not change the files."""
    text = f"{glue}{OPENER.strip()}```py\nx\n```{CLOSER} {glue}{OPENER.replace('a.py', 'b.py')}y\n```\n{CLOSER}\n"
    reading = read(HEAD.replace("</summary>", "") + text if glue == "</summary>" else HEAD + text)
    assert {file.path: file.content for file in reading.files} == {"a.py": "x\n", "b.py": "y\n```\n"}


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 400))
def test_every_beginning_of_an_answer_reads_as_far_as_it_goes(length: int) -> None:
    """While an answer streams in, complete files do not change and only the last can be truncated."""
    contents = {"a.py": "one\ntwo\n", "b.py": "three\n</file>\nfour", "c.py": "five\n"}
    whole = HEAD + "\n".join(block(path, content) for path, content in contents.items())
    reading = read(whole[:length])
    assert [file.path for file in reading.files] == list(contents)[: len(reading.files)]
    for file in reading.files[:-1]:
        assert (file.content, file.status) == (contents[file.path], "complete")
    for file in reading.files[-1:]:
        assert whole.count(file.content)
        assert contents[file.path].startswith(file.content) or "<" in file.content.rpartition("\n")[2]  # of a closer
        assert file.content == contents[file.path] or file.status in {"truncated", "repaired"}


def test_a_cut_off_file_is_truncated() -> None:
    """A last file without a closer is kept up to the end and flagged, even if the finish reason is normal."""
    reading = read(HEAD + block("a.py", "x\n") + OPENER.replace("a.py", "b.py") + "y\nz")
    assert reading.files[1] == FileBlock(path="b.py", content="y\nz", status="truncated")
    assert (reading.flags, reading.parse) == (("truncated",), "repaired")


def test_only_the_closer_being_cut_off_loses_nothing() -> None:
    """If the answer stops inside the last closing tag, the file is whole, without any part of the tag."""
    for length in range(2, len(CLOSER)):
        assert only(read(HEAD + OPENER + "x\n" + CLOSER[:length])) == FileBlock(
            path="a.py", content="x\n", status="repaired"
        )


def test_an_answer_at_its_limit_is_flagged_though_its_files_are_whole() -> None:
    """An answer ended by the token limit may lack files, so it never counts as clean."""
    reading = read(HEAD + block("a.py", "x\n"), is_truncated=True)
    assert (reading.flags, reading.parse, only(reading).status) == (("truncated",), "repaired", "complete")


@pytest.mark.parametrize(
    "text",
    [
        OPENER + "x\n</file>\n",
        OPENER + "x\n</file_artifact>\n\n" + block("b.py", "y\n"),
        OPENER + 'x\n</file nonce="3f9a1d">\n',
        OPENER.replace(NONCE, "aaaaaa") + 'x\n</file nonce="aaaaaa">',
        OPENER.replace(f' nonce="{NONCE}"', "") + f"x\n{CLOSER}",
        OPENER.replace(f' nonce="{NONCE}"', "") + "x\n</file>\n" + block("b.py", "y\n"),
        f"<file nonce='{NONCE}' path='a.py'>\nx\n</file {NONCE}>".replace("'", '"'),
        "```\n" + OPENER + "x\n" + CLOSER + "\n```\n",
    ],
)
def test_a_slip_in_a_delimiter_costs_no_file(text: str) -> None:
    """Wrong, missing or oddly written nonces and closers are understood if they have only one meaning."""
    reading = read(HEAD + text)
    assert reading.files[0].path == "a.py"
    assert reading.files[0].content == "x\n"
    assert reading.files[0].status in {"complete", "repaired"}
    assert [file.content for file in reading.files[1:]] in ([], ["y\n"])
    assert reading.parse == "ok" or reading.notes


def test_a_slip_is_said() -> None:
    """A repaired delimiter shows in the parse and in a note that names the file."""
    reading = read(HEAD + OPENER + "x\n</file>\n")
    assert (reading.parse, only(reading).status) == ("repaired", "repaired")
    assert any(note.startswith("a.py: ") for note in reading.notes)


def test_a_wrong_nonce_is_told() -> None:
    """An answer with a different nonce throughout is read, and the note has both, the given and the requested one."""
    opener = OPENER.replace(NONCE, "aaaaaa")
    reading = read(HEAD + opener + 'x\n</file nonce="aaaaaa">\n')
    assert (reading.parse, only(reading).content) == ("repaired", "x\n")
    assert [note for note in reading.notes if "aaaaaa" in note and NONCE in note]


def test_a_missing_closer_between_files_is_ambiguous() -> None:
    """Without any closer a file ends where the next begins, and is flagged."""
    reading = read(HEAD + OPENER + "x\n" + block("b.py", "y\n"))
    assert [(file.content, file.status) for file in reading.files] == [("x\n", "ambiguous"), ("y\n", "complete")]
    assert "ambiguous_block" in reading.flags


def test_two_blocks_of_a_path_are_flagged() -> None:
    """If two blocks of a path differ, the last is shown and flagged, also if the path is spelled differently."""
    reading = read(HEAD + block("a.py", "x\n") + block("./a.py", "y\n"))
    assert only(reading) == FileBlock(path="a.py", content="y\n", status="ambiguous")
    assert "ambiguous_block" in reading.flags


def test_a_fence_around_a_file_is_taken_off() -> None:
    """Removing a code fence around a whole file counts as a repair."""
    reading = read(HEAD + block("a.py", "```python\nx\n```\n"))
    assert only(reading) == FileBlock(path="a.py", content="x\n", status="repaired")


def test_reasoning_is_left_out_only_outside_files() -> None:
    """Leaked reasoning is removed with its drafts; the same tags in a file belong to the file."""
    draft = OPENER + "draft\n" + CLOSER
    for reasoning in (f"<think>{draft}</think>\n", "Let me think.\n</think>", "analysis: short.assistantfinal"):
        content = "<think>a</think>\nassistantfinal<summary>\n"
        reading = read(reasoning + HEAD + block("a.py", content))
        assert only(reading).content == content
        assert reading.summary == "Did it."
        assert any("Reasoning" in note for note in reading.notes)
    inside = read(HEAD.replace("Did", "<think>hm</think>Did") + block("a.py", "x\n"))
    assert (inside.summary, only(inside).content) == ("Did it.", "x\n")


def test_an_unclosed_part_is_repaired() -> None:
    """A summary without its closer ends where the next part begins."""
    reading = read("<summary>\nDid it.\n<plan>\n1. Step\n</plan>\n" + block("a.py", "x\n"))
    assert (reading.summary, reading.plan, reading.parse) == ("Did it.", "1. Step", "repaired")


def test_an_answer_without_files_or_form_is_shown() -> None:
    """Tags without files are a valid answer; a text in no known format fails to parse and is shown whole."""
    assert (read(HEAD).parse, read(HEAD).files) == ("ok", ())
    failed = read("I cannot do that.")
    assert (failed.parse, failed.summary) == ("failed", "I cannot do that.")
    assert read("").parse == "failed"


def test_the_originals_form_is_understood_where_blocks_were_asked() -> None:
    """A model that falls back to plain tags is read, and the note says so."""
    reading = read('<summary>\nDid it.\n</summary>\n<file path="a.py">\nx\n</file_artifact>\n')
    assert only(reading).content == "x\n"
    assert reading.parse == "repaired"
    assert any("tags" in note for note in reading.notes)
