"""Counts of pieces: used only if they provably add up, and then exact."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

from dce.workspace.context.token_pieces import MIN_PIECE_CHARS, pieces
from dce.workspace.context.tokenizer_file import load
from dce.workspace.context.tokens import Count, TokenCounter
from tests.workspace.test_tokens import FakeStore

SOURCE = "\n\n".join(path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("test_s*.py")))
"""Some 100 KB of code."""

CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
)


def split(pattern: str) -> pre_tokenizers.PreTokenizer:
    """Splits words by a pattern, then bytes, like most current vocabularies."""
    steps = [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    return pre_tokenizers.Sequence(steps)


def trained(words: Any, normalizer: Any = None, *, added: Sequence[AddedToken] = ()) -> bytes:
    """The tokenizer.json of a small byte-level BPE."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = words
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator([SOURCE], trainers.BpeTrainer(vocab_size=900, initial_alphabet=alphabet))
    tokenizer.add_tokens(list(added))
    return tokenizer.to_str().encode()


GPT2 = trained(pre_tokenizers.ByteLevel(add_prefix_space=False))
ADDING = {
    "gpt2": GPT2,
    "cl100k": trained(split(CL100K)),
    "digits, nfc": trained(
        pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]),
        normalizers.NFC(),
    ),
}
WHOLE = {
    "a space where a text begins": trained(pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "words that begin with a mark": trained(pre_tokenizers.Metaspace()),
    "no words at all": trained(split(r"[\s\S]+")),
    "what stands before decides": trained(split(r"(?<=x)\n|\p{L}+|\s+|.")),
    "a text's beginning decides": trained(split(r"^\s+|\p{L}+|\s|.")),
    "a letter and a line end are a word": trained(split(r"\p{L}\n|\p{L}+|\s+|.")),
    "lower case": trained(pre_tokenizers.ByteLevel(False), normalizers.Lowercase()),
    "a token that takes what follows": trained(
        pre_tokenizers.ByteLevel(False), added=[AddedToken("mask", rstrip=True)]
    ),
    "a token with a line end": trained(pre_tokenizers.ByteLevel(False), added=[AddedToken("x\n\n")]),
}


@pytest.mark.parametrize("name", ADDING)
def test_pieces_add_up_to_the_token(name: str) -> None:
    """Long texts have the same count whole and in pieces, for the word splitting of current vocabularies."""
    tokenizer = load(ADDING[name])
    assert tokenizer.has_pieces
    found = pieces(SOURCE)
    assert len(found) > 5
    assert sum(tokenizer.count(found)) == tokenizer.count([SOURCE])[0]


PARTS = st.lists(
    st.sampled_from(["a", "Z", "9", "é", "日", " ", "\n", "\n\n", "\t", "'s", "#", "</file>", "\r\n"]), max_size=40
)


@settings(deadline=None, max_examples=300)
@given(st.lists(PARTS.map("".join), min_size=2, max_size=6), st.sampled_from(sorted(ADDING)))
def test_cutting_between_a_letter_and_a_blank_line_changes_no_token(parts: list[str], name: str) -> None:
    """The sum is exact whatever is on either side of a cut, even if a text consists of cuts."""
    found = [parts[0] + "x", *(f"\n\n{part}x" for part in parts[1:])]
    tokenizer = load(ADDING[name])
    assert sum(tokenizer.count(found)) == tokenizer.count(["".join(found)])[0]


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_not_known_to_add_up_is_counted_whole(name: str) -> None:
    """A tokenizer for which this cannot be proved gets no pieces, even if it might hold."""
    assert not load(WHOLE[name]).has_pieces


def test_a_length_that_the_file_names_cuts_no_count() -> None:
    """A truncation limit in the tokenizer file does not limit a count."""
    limited = json.loads(GPT2) | {
        "truncation": {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    }
    assert load(json.dumps(limited).encode()).count([SOURCE]) == load(GPT2).count([SOURCE])


@given(st.text("ab\n ", max_size=200), st.integers(1, 60))
def test_pieces_joined_are_the_text(text: str, times: int) -> None:
    """Nothing is lost, and only the last piece is short."""
    found = pieces(text * times)
    assert "".join(found) == text * times
    assert all(len(piece) >= MIN_PIECE_CHARS for piece in found[:-1])


def test_after_an_edit_only_what_is_near_it_is_counted_again() -> None:
    """The pieces before and after an edit are unchanged; the sum is the count of the whole."""
    tokenizer, asked = load(GPT2), list[str]()

    class Counting:
        name = "gpt2"

        async def count(self, texts: Sequence[str]) -> list[int]:
            asked.extend(texts)
            return tokenizer.count(texts)

    counter = TokenCounter(FakeStore(), Counting(), pieces=pieces)
    text = SOURCE * 3
    asyncio.run(counter.count([text]))
    assert sum(map(len, asked)) < len(text) * 0.6  # repeated pieces are counted once
    asked.clear()
    middle = len(text) // 2
    edited = text[:middle] + "\nx = 1\n" + text[middle:]
    assert asyncio.run(counter.count([edited])) == [Count(tokens=tokenizer.count([edited])[0], exact=True)]
    assert sum(map(len, asked)) < 8 * MIN_PIECE_CHARS
