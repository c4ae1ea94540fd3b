"""The client's composition root: a folder with its store, settings, selection, cycles and provider, wired together.

What must always hold: the bytes written to prompt.md are the bytes stored and sent; nothing is stored of a generation that cannot
begin (bad input, over budget, gateway out of reach); what a dead process left behind is settled before anyone writes.
"""

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Self

import msgspec

from dce.wire.errors import DceError
from dce.workspace.accepting import baseline
from dce.workspace.context.detail import reduced
from dce.workspace.context.pictures import TOKENS_EACH, check_size, picture_of
from dce.workspace.context.prompt import HISTORY_LINES, PromptCycle, PromptFile, PromptInput, build, whole_files
from dce.workspace.context.selection import Selection
from dce.workspace.context.shown import ShownFiles, shown_paths
from dce.workspace.context.tokenizer_file import FileTokenizer
from dce.workspace.context.tokens import Count, TokenCounter
from dce.workspace.generating.generator import Generator
from dce.workspace.generating.guarded_provider import GuardedProvider
from dce.workspace.generating.provider import Model, Provider
from dce.workspace.generating.providers import provider_of
from dce.workspace.outbound.sending import Sending
from dce.workspace.preparing.prepared_prompt import (
    ANY_MODEL,
    PreparedPrompt,
    check_served,
    reserved_tokens,
    shared_chars,
    too_long,
)
from dce.workspace.preparing.summaries import Summaries
from dce.workspace.project import Project
from dce.workspace.record.backups import Backups
from dce.workspace.record.cycles import Cycle, Cycles
from dce.workspace.record.generations import Generation
from dce.workspace.record.pictures import Picture, note_of
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.responses import Response, Status
from dce.workspace.record.store import STORE_FILE, Store
from dce.workspace.schema import SCHEMAS, read_answer
from dce.workspace.schema.near_paths import NearPaths
from dce.workspace.schema.reading import Reading
from dce.workspace.settings import MAX_RESPONSES, Settings
from dce.workspace.tree.exclude import Excludes
from dce.workspace.tree.extract import format_of
from dce.workspace.tree.files import FileText
from dce.workspace.tree.text_reader import TextReader
from dce.workspace.writer_lock import WriterLock

PROMPT_FILE = "prompt.md"
WRITTEN_KEY = "prompt_written"
"""Key in the store's meta table: the prompt in prompt.md but for its text, so that a pasted answer finds what it answers."""


class Workspace:
    """One workspace, open. Its parts are public: what a UI does, it does with them."""

    def __init__(
        self, project: Project, settings: Settings, store: Store, provider: Provider, clock: Callable[[], float]
    ) -> None:
        self.project = project
        self.store = store
        self.clock = clock
        self.selection = Selection(project, store)
        self.cycles = Cycles(store, clock)
        self.backups = Backups(store.path, clock)
        self._use(settings, provider)
        self._lock = WriterLock(project.state_dir, self._settle)
        self._settings_of: Callable[[str], Settings] | None = None
        self._by_card: dict[str, Workspace] = {settings.card: self}

    def _use(self, settings: Settings, provider: Provider) -> None:
        """Everything that follows from the settings."""
        self.settings = settings
        self.provider = provider
        # What is pasted by hand is carried by its owner: no host is sent anything.
        url = "" if settings.provider == "manual" else settings.url
        self.sending = Sending(self.project, self.store, url, settings.secrets)
        self.tokenizer: FileTokenizer | None = None
        self.counter = TokenCounter(self.store, provider, self.sending.may_count)
        if settings.tokenizer:  # it counts here, so that any text may be counted
            self.tokenizer = FileTokenizer(settings.tokenizer, self.project.root, self.project.state_dir)
            self.counter = TokenCounter(self.store, self.tokenizer, pieces=self.tokenizer.pieces)
        self.generator = Generator(self.store, GuardedProvider(provider, self.sending), self.clock)

    def reload_settings(self) -> None:
        """Goes on under the settings as they are now written, cards included; what runs already ends as it began.

        Raises DceError invalid_input, and then everything stays as it was. A workspace that was opened without a reader of settings keeps its own.
        """
        if self._settings_of is None:
            return
        settings = self._settings_of("")
        self._use(settings, provider_of(settings))
        self._by_card.clear()
        self._by_card[settings.card] = self

    @classmethod
    def open(
        cls,
        project: Project,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        provider: Provider | None = None,
        settings_of: Callable[[str], Settings] | None = None,
    ) -> Self:
        """Opens the store and settles what a dead process left. `provider` None: the settings' own. Raises store_unreadable.

        `settings_of`: the settings under a model card, for cycles that name one.
        """
        store = Store(project.state_dir / STORE_FILE)
        workspace = cls(project, settings, store, provider or provider_of(settings), clock)
        workspace._settings_of = settings_of
        try:
            workspace._recover()
        except BaseException:
            store.close()
            raise
        return workspace

    def close(self) -> None:
        """Closes the store."""
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def by_card(self, card: str) -> "Workspace":
        """This workspace under a model card: same store, lock and selection; other settings and provider. "" is itself.

        Raises DceError not_found if there is no such card.
        """
        if not card or self._settings_of is None:
            return self
        if card not in self._by_card:
            settings = self._settings_of(card)
            other = type(self)(self.project, settings, self.store, provider_of(settings), self.clock)
            other._share(self)  # noqa: SLF001 - of its own class
            self._by_card[card] = other
        return self._by_card[card]

    def _share(self, first: "Workspace") -> None:
        """Takes the lock and the cards of the workspace that this is another view of."""
        self._lock, self._settings_of, self._by_card = first._lock, first._settings_of, first._by_card  # noqa: SLF001 - of its own class

    def for_cycle(self, cycle_id: int) -> "Workspace":
        """This workspace under the cycle's card. Raises DceError not_found."""
        return self.by_card(self.cycles.get(cycle_id).card)

    def for_generation(self, generation_id: int) -> "Workspace":
        """This workspace under the card by which a generation was asked, so that it is stopped and continued there."""
        return self.by_card(self.store.get_generation(generation_id).card)

    def writer_lock(self, verb: str = "generate, accept or restore") -> AbstractContextManager[None]:
        """Held by whoever generates, accepts or restores; counted within this process. Raises workspace_locked naming the holder.

        Coming to hold it settles what a dead process left: its running responses become `interrupted`.
        """
        return self._lock.hold(verb)

    def responses(self, generation_id: int) -> tuple[Response, ...]:
        """The latest version of each slot. Raises DceError not_found."""
        self.store.get_generation(generation_id)
        return self.store.responses(generation_id)

    def reading(self, generation_id: int, slot: int, version: int | None = None) -> Reading:
        """A response taken apart; version None is the latest. Raises DceError not_found."""
        response = self.store.response(generation_id, slot, version)
        return self.read(generation_id, response.text, response.status is not Status.COMPLETE)

    def read(self, generation_id: int, text: str, is_cut: bool) -> Reading:
        """A text taken apart as an answer to a generation's prompt, whole or cut. Raises DceError not_found."""
        generation = self.store.get_generation(generation_id)
        prompt = self.store.get_prompt(generation.prompt_sha256)
        near = NearPaths(self.project, (entry.path for entry in prompt.manifest))
        shown = ShownFiles(prompt).get
        reading = read_answer(text, generation.schema, generation.nonce, is_cut, shown, near.named)
        return self.sending.placeholders.restored(reading)

    def shown(self, generation_id: int) -> Callable[[str], str | None]:
        """The files as a generation's prompt showed them whole (path → text), with secrets in their places."""
        files = ShownFiles(self.store.get_prompt(self.store.get_generation(generation_id).prompt_sha256))
        restore = self.sending.placeholders.restore
        return lambda path: None if (text := files.get(path)) is None else restore(text)

    def latest_generation(self, cycle_id: int | None = None) -> Generation | None:
        """The newest generation, of a cycle or of all."""
        return self.store.latest_generation(cycle_id)

    async def build_prompt(self, cycle_id: int) -> PreparedPrompt:
        """The prompt of a cycle as it would be sent now, with its cost. Works without a gateway: then counts are estimates.

        Raises DceError not_found (no such cycle), invalid_input (a selected file cannot go in; an unknown schema).
        """
        inputs = await asyncio.to_thread(self._inputs, cycle_id)
        try:
            return await self._priced(inputs, await self.provider.models())
        except DceError as error:
            if error.code in {"not_found", "invalid_input"}:
                raise
            return await self._priced(inputs, [], note=error.message)

    def write_prompt(self, prompt: Prompt, out: Path | None = None) -> Path:
        """Writes the prompt's bytes, whole or not at all; None: prompt.md in the workspace. Raises DceError invalid_input."""
        path = self.project.root / PROMPT_FILE if out is None else out
        try:
            _replace(path, prompt.text.encode())
        except OSError as error:
            raise DceError("invalid_input", f"{path} cannot be written: {error.strerror or error}") from error
        if out is None:
            without_text = msgspec.structs.replace(prompt, text="")
            self.store.meta_set(WRITTEN_KEY, msgspec.json.encode(without_text).decode())
        return path

    def written_prompt(self) -> Prompt | None:
        """The prompt that stands in prompt.md, with its manifest; None if that was changed or another was never written."""
        kept = self.store.meta_get(WRITTEN_KEY)
        try:
            text = (self.project.root / PROMPT_FILE).read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            return None
        prompt = msgspec.json.decode(kept, type=Prompt) if kept else None
        if prompt is None or hashlib.sha256(text.encode()).hexdigest() != prompt.sha256:
            return None
        return msgspec.structs.replace(prompt, text=text)

    def left_out(self, prompt: Prompt) -> tuple[str, ...]:
        """Selected files that a prompt does not show, because secrets were found in them and the policy is to exclude."""
        if self.settings.secrets != "exclude":
            return ()
        return tuple(sorted(set(self.selection.paths()) - shown_paths(prompt)))

    def shared_tokens(self, prepared: PreparedPrompt) -> int | None:
        """About how many tokens at the beginning of a prompt are those of the one sent last, which a server may still have cached.

        None if none was sent.
        """
        last = self.latest_generation()
        before = self.store.get_prompt(last.prompt_sha256).text if last else ""
        text = prepared.prompt.text
        return prepared.total * shared_chars(text, before) // len(text) if before else None

    async def prepare(self, cycle_id: int, n: int) -> Generation:
        """A new generation, its N responses queued, its prompt in prompt.md; `generator.run` starts it. Hold the writer lock.

        Raises as `build_prompt`, and gateway_unreachable and its like, no_healthy_backend, model_not_found, prompt_too_long, secrets_found, consent_needed;
        then nothing was stored or written.
        """
        if not 1 <= n <= MAX_RESPONSES:
            raise DceError("invalid_input", f"{n} responses are asked for; possible are 1 to {MAX_RESPONSES}")
        inputs = await asyncio.to_thread(self._inputs, cycle_id)
        models = await self.provider.models()
        if not models:
            raise DceError("no_healthy_backend", "the gateway serves no model")
        if self.settings.provider == "gateway":  # other servers have their own ways with names they do not list
            check_served(self.settings.model or "", [model.id for model in models])
        prepared = await self._priced(inputs, models)
        # An estimate may be wrong by a third: then the model's own server is asked, and says so itself.
        if prepared.is_over and prepared.is_exact:
            counts = await self.counter.count([file.text for file in inputs.files])
            paths = [file.path for file in inputs.files]
            raise too_long(prepared, [(path, count.tokens) for path, count in zip(paths, counts, strict=True)])
        size = sum(len(picture.content) for picture in prepared.pictures)
        await asyncio.to_thread(self.sending.clear, inputs, prepared.prompt.text, size)
        return await asyncio.to_thread(self._begin, prepared, n)

    def _begin(self, prepared: PreparedPrompt, n: int) -> Generation:
        """prompt.md first: a generation whose prompt is not on the disk would be a lie, a prompt.md without one is not."""
        self.backups.roll()
        self.write_prompt(prepared.prompt)
        now = self.clock()
        self.store.put_prompt(prepared.prompt, prepared.grammar, now)
        self.store.put_pictures(prepared.prompt.sha256, prepared.pictures)
        return self.store.insert_generation(
            Generation(
                id=0,
                cycle=prepared.cycle,
                prompt_sha256=prepared.prompt.sha256,
                model=self.settings.model or "",
                n=n,
                schema=prepared.prompt.schema,
                nonce=prepared.prompt.nonce,
                max_tokens=self.settings.max_tokens or 0,
                temperature=self.settings.temperature,
                temperature_spread=self.settings.temperature_spread,
                seed=self.settings.seed,
                card=self.settings.card,
                reasoning_effort=self.settings.reasoning_effort,
                created_at=now,
                prompt_tokens=prepared.total,
            )
        )

    async def _priced(self, inputs: PromptInput, models: list[Model], note: str = "") -> PreparedPrompt:
        prompt = await asyncio.to_thread(build, inputs)
        pictures = await asyncio.to_thread(self._pictures, inputs)
        if self.tokenizer is not None:
            await self.tokenizer.prepare()
            note = note or self.tokenizer.problem
        total, counts = await self._counted(prompt)
        wanted = self.settings.model
        model = next((model for model in models if wanted in (*ANY_MODEL, model.id)), None)
        context = self.settings.context or (model.max_model_len if model else None)
        if not note and context is None:
            note = f"the context of {wanted or 'the model'} is not known: the gateway does not tell it"
        return PreparedPrompt(
            cycle=inputs.cycle.id,
            prompt=prompt,
            grammar=SCHEMAS[inputs.schema].grammar(prompt.nonce, whole_files(inputs.files)),
            counts=tuple(counts),
            total=total.tokens,
            is_exact=total.exact,
            model=model.id if model else wanted or "",
            context=context,
            reserved=reserved_tokens(context, self.settings.max_tokens) + TOKENS_EACH * len(pictures),
            note=note,
            findings=await asyncio.to_thread(self.sending.findings, inputs),
            files=inputs.files,
            pictures=pictures,
        )

    async def _counted(self, prompt: Prompt) -> tuple[Count, list[Count]]:
        """The tokens of the whole and of its sections, which add up to it: the largest is what the others leave.

        Counting that one too would cost as much as all the rest, and would be off by what merges across its borders.
        """
        largest = max(prompt.sections, key=lambda section: section.end - section.start)
        others = [prompt.text[section.start : section.end] for section in prompt.sections if section is not largest]
        total, *counts = await self.counter.count([prompt.text, *others], first_sha256=prompt.sha256)
        rest = total.tokens - sum(count.tokens for count in counts)
        is_exact = total.exact and all(count.exact for count in counts)
        counts.insert(prompt.sections.index(largest), Count(tokens=max(rest, 0), exact=is_exact))
        return total, counts

    def _inputs(self, cycle_id: int) -> PromptInput:
        """Everything the prompt is made of, as it is now."""
        schema = self.settings.schema
        if schema not in SCHEMAS:
            raise DceError("invalid_input", f"there is no schema {schema!r}", hint=f"There are: {', '.join(SCHEMAS)}.")
        cycle = self.cycles.get(cycle_id)
        earlier = [known for known in self.cycles.list() if 0 < known.id < cycle_id]
        summaries = Summaries(self.store, self.reading).of(
            earlier[-(self.settings.history_cycles + 1 + HISTORY_LINES) :]
        )
        inputs = PromptInput(
            cycle=self._prompt_cycle(cycle),
            history=tuple(self._prompt_cycle(known, summaries.get(known.id, "")) for known in earlier),
            scope=self.cycles.get(0).context,
            files=self._prompt_files(),
            schema=schema,
            full_cycles=self.settings.history_cycles,
            order=self.settings.section_order,
        )
        return self.sending.apply(inputs)

    def _prompt_files(self) -> tuple[PromptFile, ...]:
        """The selection's files, each at its level of detail."""
        details = self.selection.details()
        files = []
        for file in self._selected_files():
            level = details.get(file.path, "full")
            text = reduced(file.text, file.path, level)
            # A short file is its own head and tail: shown whole, it may be rewritten.
            detail = level if text != file.text else "extract" if format_of(file.path) else "full"
            if detail == "extract" and self._goes_along(file.path):
                text = f"{text.rstrip()}\n{note_of(self._picture(file.path))}"
            files.append(PromptFile(path=file.path, text=text, sha256=file.sha256, detail=detail))
        return tuple(files)

    def _goes_along(self, path: str) -> bool:
        """Whether a selected file is a picture that is sent itself. What is carried by hand is attached by hand."""
        return self.settings.images and self.settings.provider != "manual" and format_of(path) == "image"

    def _picture(self, path: str) -> Picture:
        try:
            return picture_of(path, self.project.resolve(path).read_bytes())
        except OSError as error:
            raise DceError("invalid_input", f"{path} cannot be read: {error.strerror or error}") from error

    def _pictures(self, inputs: PromptInput) -> tuple[Picture, ...]:
        """The pictures that go with a prompt, by path: exactly those that its text names. Raises DceError invalid_input, conflict."""
        found = []
        for file in sorted(inputs.files, key=lambda file: file.path):
            if file.detail == "extract" and self._goes_along(file.path):
                found.append(self._picture(file.path))
                if note_of(found[-1]) not in file.text:
                    raise DceError("conflict", f"{file.path} was changed while the prompt was made; try again")
        check_size(found)
        return tuple(found)

    def _selected_files(self) -> list[FileText]:
        """The selection's files. Raises DceError invalid_input naming all that cannot go in."""
        found: list[FileText] = []
        problems: list[str] = []
        excludes = Excludes.of(self.project)
        pages = self.selection.pages()
        reader = TextReader(self.project)
        for path in self.selection.paths():
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
                f"{len(problems)} of the selected files cannot go into the prompt: {'; '.join(problems)}",
                hint="Take them out of the selection: `dce select rm PATH…`.",
            )
        return found

    def _prompt_cycle(self, cycle: Cycle, summary: str = "") -> PromptCycle:
        return PromptCycle(
            id=cycle.id, title=cycle.title, context=cycle.context, ephemeral=cycle.ephemeral, summary=summary
        )

    def _recover(self) -> None:
        """Settles what a dead process left; while another process lives and writes, that is its business."""
        baseline.recover(self)
        if self.store.has_active():
            try:
                with self.writer_lock("recover"):
                    pass  # coming to hold it is what settles
            except DceError as error:
                if error.code != "workspace_locked":
                    raise

    def _settle(self) -> None:
        self.store.interrupt_active(self.clock())


def _replace(path: Path, content: bytes) -> None:
    """Whole or not at all: a reader never sees half a prompt."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
