"""The client's composition root: wires a folder's store, settings, selection, cycles and provider together.

What must always hold: the leftovers of a dead process are settled before anything is written; all views of a workspace (one per model
card) share one store and one lock.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Self

from dce.wire.errors import DceError
from dce.workspace.accepting import baseline
from dce.workspace.context.selection import Selection
from dce.workspace.context.shown import ShownFiles
from dce.workspace.context.tokenizer_file import FileTokenizer
from dce.workspace.context.tokens import TokenCounter
from dce.workspace.generating.generator import Generator
from dce.workspace.generating.guarded_provider import GuardedProvider
from dce.workspace.generating.provider import Provider
from dce.workspace.generating.providers import provider_of
from dce.workspace.judging.lanes.on_ray.cluster import Clusters
from dce.workspace.outbound.sending import Sending
from dce.workspace.preparing.inputs import Inputs
from dce.workspace.preparing.preparation import Preparation
from dce.workspace.preparing.pricing import Pricing
from dce.workspace.preparing.prompt_file import PromptOnDisk
from dce.workspace.project import Project
from dce.workspace.record.backups import Backups
from dce.workspace.record.responses import Response, Status
from dce.workspace.record.store import STORE_FILE, Store
from dce.workspace.record.written_files import WrittenFiles
from dce.workspace.schema import read_answer
from dce.workspace.schema.near_paths import NearPaths
from dce.workspace.schema.reading import Reading
from dce.workspace.settings import Settings
from dce.workspace.writer_lock import WriterLock

SettingsOf = Callable[[str], Settings]
"""The settings under a model card ("": those in force). Raises DceError not_found, invalid_input."""


class _Shared:
    """The parts shared by all model cards: the folder, its store and lock, and the workspace view of each card."""

    def __init__(
        self, project: Project, store: Store, clock: Callable[[], float], settings_of: SettingsOf | None
    ) -> None:
        self.project = project
        self.store = store
        self.clock = clock
        self.settings_of = settings_of
        self.selection = Selection(project, store.meta)
        self.backups = Backups(store.path, clock)
        self.written = WrittenFiles(project.root, store.meta)
        self.prompt_file = PromptOnDisk(project, store)
        self.clusters = Clusters()
        self.lock = WriterLock(project.state_dir, lambda: store.progress.interrupt_active(clock()))
        self.by_card: dict[str, Workspace] = {}


class Workspace:
    """One open workspace under one set of settings. Its parts are public; UIs work with them directly."""

    def __init__(self, shared: _Shared, settings: Settings, provider: Provider) -> None:
        self._shared = shared
        self.project = shared.project
        self.store = shared.store
        self.clock = shared.clock
        self.clusters = shared.clusters
        self.selection = shared.selection
        self.cycles = shared.store.cycles
        self.backups = shared.backups
        self.prompt_file = shared.prompt_file
        self.written = shared.written
        self._use(settings, provider)

    def _use(self, settings: Settings, provider: Provider) -> None:
        """Builds everything that depends on the settings."""
        self.settings = settings
        # In manual mode DCE sends nothing to a host, but secrets are still held back.
        url = "" if settings.provider == "manual" else settings.url
        self.sending = Sending(
            self.project, self.store.meta, url, settings.secrets, is_by_hand=settings.provider == "manual"
        )
        self.provider = GuardedProvider(provider, self.sending)
        tokenizer: FileTokenizer | None = None
        self.counter = TokenCounter(self.store.token_counts, provider, self.sending.may_count)
        if settings.tokenizer:  # counts locally, so any text may be counted
            tokenizer = FileTokenizer(
                settings.tokenizer, self.project.root, self.project.state_dir, may_fetch=self.sending.consents.require
            )
            self.counter = TokenCounter(self.store.token_counts, tokenizer, pieces=tokenizer.pieces)
        inputs = Inputs(self.project, settings, self.store, self.selection, self.sending, self.reading)
        pricing = Pricing(settings, self.counter, tokenizer, self.sending)
        self.preparation = Preparation(settings, inputs, pricing, self.sending, self.provider, self)
        self.generator = Generator(self.store, self.provider, self.clock)

    @classmethod
    def open(
        cls,
        project: Project,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        provider: Provider | None = None,
        settings_of: SettingsOf | None = None,
    ) -> Self:
        """Opens the store and settles what a dead process left. `provider` None: the one the settings name. Raises store_unreadable.

        `settings_of`: the settings under a model card, for cycles that name one.
        """
        store = Store(project.state_dir / STORE_FILE, clock)
        try:
            shared = _Shared(project, store, clock, settings_of)
            workspace = cls(shared, settings, provider or provider_of(settings))
            shared.by_card[settings.card] = workspace
            workspace._recover()
        except BaseException:
            store.close()
            raise
        return workspace

    def close(self) -> None:
        """Closes the store, and connections to clusters."""
        self.clusters.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def reload_settings(self) -> None:
        """Applies the settings as they are now on disk, cards included. Running requests keep the settings they started with.

        Raises DceError invalid_input and then changes nothing. A workspace opened without `settings_of` keeps its settings.
        """
        if self._shared.settings_of is None:
            return
        settings = self._shared.settings_of("")
        self._use(settings, provider_of(settings))
        self._shared.by_card.clear()
        self._shared.by_card[settings.card] = self

    def by_card(self, card: str) -> "Workspace":
        """This workspace under a model card: same store, lock and selection, other settings and provider. "" returns this workspace.

        Raises DceError not_found if there is no such card.
        """
        if not card or self._shared.settings_of is None:
            return self
        if card not in self._shared.by_card:
            settings = self._shared.settings_of(card)
            self._shared.by_card[card] = Workspace(self._shared, settings, provider_of(settings))
        return self._shared.by_card[card]

    def for_cycle(self, cycle_id: int) -> "Workspace":
        """This workspace under the cycle's card. Raises DceError not_found."""
        return self.by_card(self.cycles.get(cycle_id).card)

    def for_generation(self, generation_id: int) -> "Workspace":
        """This workspace under a generation's card, so that the generation is stopped and continued on its own server."""
        return self.by_card(self.store.generations.get(generation_id).card)

    def writer_lock(self, verb: str = "generate, accept or restore") -> AbstractContextManager[None]:
        """The lock to hold while generating, accepting or restoring; shared and counted within this process. Raises workspace_locked naming the holder.

        Acquiring it settles what a dead process left: its running responses become `interrupted`.
        """
        return self._shared.lock.hold(verb)

    def responses(self, generation_id: int) -> tuple[Response, ...]:
        """The latest version of each slot. Raises DceError not_found."""
        self.store.generations.get(generation_id)
        return self.store.responses.latest(generation_id)

    def reading(self, generation_id: int, slot: int, version: int | None = None) -> Reading:
        """A parsed response; version None is the latest. Raises DceError not_found."""
        response = self.store.responses.get(generation_id, slot, version)
        return self.read(generation_id, response.text, response.status is not Status.COMPLETE)

    def read(self, generation_id: int, text: str, is_cut: bool) -> Reading:
        """A text parsed as an answer (complete or cut) to a generation's prompt. Raises DceError not_found."""
        generation = self.store.generations.get(generation_id)
        prompt = self.store.prompts.get(generation.prompt_sha256)
        near = NearPaths(self.project, (entry.path for entry in prompt.manifest))
        shown = ShownFiles(prompt).get
        reading = read_answer(text, generation.schema, generation.nonce, is_cut, shown, near.named)
        return self.sending.placeholders.restored(reading, shown)

    def shown(self, generation_id: int) -> Callable[[str], str | None]:
        """The files that a generation's prompt showed in full (path → text), with secrets restored."""
        files = ShownFiles(self.store.prompts.get(self.store.generations.get(generation_id).prompt_sha256))
        restore = self.sending.placeholders.restore
        return lambda path: None if (text := files.get(path)) is None else restore(text)

    def _recover(self) -> None:
        """Settles what a dead process left, unless another live process holds the lock.

        Does nothing for a read-only store.
        """
        if self.store.database.is_read_only:
            return
        baseline.recover(self)
        if self.store.progress.has_active():
            try:
                with self.writer_lock("recover"):
                    pass  # acquiring the lock settles them
            except DceError as error:
                if error.code != "workspace_locked":
                    raise
