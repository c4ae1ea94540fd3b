"""What the schemas have in common that ask in the same words whatever the prompt holds, and hold the model to nothing."""

from dce.workspace.schema.reading import PromptFile


class PlainSchema:
    """A schema without nonce and grammar; `text` is its section M3. Its reader is the subclass's own."""

    def __init__(self, text: str) -> None:
        self._text = text

    def instructions(self, nonce: str, files: tuple[PromptFile, ...]) -> str:  # noqa: ARG002 - the form has no nonce
        """The text of section M3."""
        return self._text

    def grammar(self, nonce: str, files: tuple[PromptFile, ...]) -> str | None:  # noqa: ARG002 - as above
        """None: any instructed model can write the form."""
        return None
