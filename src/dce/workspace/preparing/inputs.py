"""Collects a prompt's inputs: the cycle, its history, the scope and the selected files, as they are now.

What must always hold: the inputs contain nothing that the secrets policy holds back; a file that cannot be included is named, never
left out silently; the attached pictures are exactly those that the text names.
"""

from collections.abc import Callable

import msgspec

from dce.wire.errors import DceError
from dce.workspace.context.detail import reduced
from dce.workspace.context.pictures import check_size, picture_of
from dce.workspace.context.prompt import HISTORY_LINES, PromptCycle, PromptFile, PromptInput
from dce.workspace.context.selection import Selection
from dce.workspace.context.shown import shown_paths
from dce.workspace.outbound.sending import Sending
from dce.workspace.preparing.summaries import Summaries
from dce.workspace.project import Project
from dce.workspace.record.cycles import Cycle
from dce.workspace.record.pictures import Picture, note_of
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.store import Store
from dce.workspace.schema import find_schema
from dce.workspace.schema.reading import Reading
from dce.workspace.settings import Settings
from dce.workspace.tree.encodings import UNCERTAIN
from dce.workspace.tree.exclude import Excludes
from dce.workspace.tree.extract import format_of
from dce.workspace.tree.files import FileText
from dce.workspace.tree.text_reader import TextReader


class Inputs:
    """The inputs of a workspace's prompts. `read` parses a version of a response (generation, slot, version)."""

    def __init__(
        self,
        project: Project,
        settings: Settings,
        store: Store,
        selection: Selection,
        sending: Sending,
        read: Callable[[int, int, int], Reading],
    ) -> None:
        self._project = project
        self._settings = settings
        self._store = store
        self._selection = selection
        self._sending = sending
        self._summaries = Summaries(store, read)

    def of(self, cycle_id: int) -> PromptInput:
        """All inputs of a cycle's prompt. Raises DceError not_found, and invalid_input naming what cannot be included."""
        settings = self._settings
        schema = find_schema(settings.schema).name
        cycle = self._store.cycles.get(cycle_id)
        earlier = [known for known in self._store.cycles.list() if 0 < known.id < cycle_id]
        summaries = self._summaries.of(earlier[-(settings.history_cycles + 1 + HISTORY_LINES) :])
        inputs = PromptInput(
            cycle=_prompt_cycle(cycle),
            history=tuple(_prompt_cycle(known, summaries.get(known.id, "")) for known in earlier),
            scope=self._store.cycles.get(0).context,
            files=self._files(),
            schema=schema,
            full_cycles=settings.history_cycles,
            order=settings.section_order,
        )
        return self._sending.apply(inputs)

    def pictures(self, inputs: PromptInput) -> tuple[Picture, ...]:
        """The pictures attached to a prompt, sorted by path: exactly those that its text names. Raises DceError invalid_input, conflict."""
        found = []
        for file in sorted(inputs.files, key=lambda file: file.path):
            if file.detail == "extract" and self._is_attached(file.path):
                found.append(self._picture(file.path))
                if note_of(found[-1]) not in file.text:
                    raise DceError("conflict", f"{file.path} changed while the prompt was being built; try again")
        check_size(found)
        return tuple(found)

    def left_out(self, prompt: Prompt) -> tuple[str, ...]:
        """Selected files that a prompt leaves out because they hold secrets and the policy is `exclude`."""
        if self._settings.secrets != "exclude":
            return ()
        return tuple(sorted(set(self._selection.paths()) - shown_paths(prompt)))

    def _files(self) -> tuple[PromptFile, ...]:
        """The selected files, each at its level of detail."""
        details = self._selection.details()
        files = []
        for file in self._selected():
            level = details.get(file.path, "full")
            text = reduced(file.text, file.path, level)
            # A short file is its own head and tail: it is shown in full, so an answer may rewrite it.
            detail = level if text != file.text else "extract" if format_of(file.path) else "full"
            if detail == "extract" and self._is_attached(file.path):
                text = f"{text.rstrip()}\n{note_of(self._picture(file.path))}"
            guess = file.encoding if file.certainty in UNCERTAIN else ""
            shown = PromptFile(path=file.path, text=text, sha256=file.sha256, detail=detail, guess=guess)
            files.append(msgspec.structs.replace(shown, is_doubtful=file.certainty == "doubtful"))
        return tuple(files)

    def _selected(self) -> list[FileText]:
        """The selected files. Raises DceError invalid_input naming all that cannot be included."""
        found: list[FileText] = []
        problems: list[str] = []
        excludes = Excludes.of(self._project)
        pages = self._selection.pages()
        reader = TextReader(self._project)
        for path in self._selection.paths():
            if reason := excludes.reason(path):
                problems.append(f"{path} is {reason}")
                continue
            try:
                found.append(reader.read(path, pages.get(path, "")))
            except DceError as error:
                problems.append(error.message.rstrip("."))
        if problems:
            raise DceError(
                "invalid_input",
                f"{len(problems)} of the selected files cannot be included in the prompt: {'; '.join(problems)}",
                hint="Remove them from the selection: `dce select rm PATH…`.",
            )
        return found

    def _is_attached(self, path: str) -> bool:
        """Whether a selected file is a picture to attach. In manual mode the user attaches pictures too."""
        return self._settings.images and self._settings.provider != "manual" and format_of(path) == "image"

    def _picture(self, path: str) -> Picture:
        try:
            return picture_of(path, self._project.resolve(path).read_bytes())
        except OSError as error:
            raise DceError("invalid_input", f"{path} cannot be read: {error.strerror or error}") from error


def _prompt_cycle(cycle: Cycle, summary: str = "") -> PromptCycle:
    return PromptCycle(
        id=cycle.id, title=cycle.title, context=cycle.context, ephemeral=cycle.ephemeral, summary=summary
    )
