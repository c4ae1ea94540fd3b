"""The base of schemas with fixed instructions, whatever the prompt, and without a grammar."""

from dce.workspace.schema.reading import PromptFile


class PlainSchema:
    """A schema without nonce and grammar; `text` is its section M3. Its reader is the subclass's own."""

    def __init__(self, text: str) -> None:
        self._text = text

    def instructions(self, nonce: str, files: tuple[PromptFile, ...]) -> str:  # noqa: ARG002 - the form has no nonce
        """The text of section M3."""
        return self._text

    def grammar(self, nonce: str, files: tuple[PromptFile, ...]) -> str | None:  # noqa: ARG002 - as above
        """None: any instructed model can write this format."""
        return None
