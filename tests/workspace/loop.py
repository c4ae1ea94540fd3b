"""Shared by the tests of the loop: a store with a prompt and a generation."""

from pathlib import Path

from dce.workspace.context.prompt import PromptCycle, PromptFile, PromptInput, build
from dce.workspace.record.generations import Generation
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.store import STORE_FILE, Store


def a_prompt(text: str = "b") -> Prompt:
    """A small prompt with one file."""
    return build(
        PromptInput(
            cycle=PromptCycle(id=1, title="t", context="c"),
            history=(),
            scope="s",
            files=(PromptFile(path="a.py", text=text, sha256="0" * 64),),
            schema="blocks",
        )
    )


def a_store(tmp_path: Path) -> Store:
    """A fresh store."""
    return Store(tmp_path / STORE_FILE)


def a_generation(store: Store, n: int = 3, grammar: str | None = None, **fields: object) -> Generation:
    """A new generation of cycle 0 with N queued responses."""
    prompt = a_prompt()
    store.prompts.put(prompt, grammar, 1.0)
    asked: dict[str, object] = {
        "id": 0,
        "cycle": 0,
        "prompt_sha256": prompt.sha256,
        "model": "",
        "n": n,
        "schema": prompt.schema,
        "nonce": prompt.nonce,
        "max_tokens": 0,
        "created_at": 1.0,
    }
    return store.generations.insert(Generation(**(asked | fields)))  # type: ignore[arg-type]
