"""The table of files: whole or only what changed, counted little by little, followed as files change."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from dce.panel.file_state import FilesView
from dce.panel.filetable import FileTable
from dce.panel.limits import MAX_COUNTED_FILES
from dce.workspace.context.tokens import Count, TokenCounter
from dce.workspace.project import Project
from dce.workspace.tree.watch import changes
from dce.workspace.workspace import Workspace
from tests.panel.rig import make_workspace

Scene = Callable[[FileTable, "asyncio.Queue[str]"], Awaitable[None]]


def play(workspace: Workspace, scene: Scene) -> None:
    """Runs a scene with a table that watches and counts; the queue holds what it told."""

    async def go() -> None:
        news: asyncio.Queue[str] = asyncio.Queue()
        table = FileTable(workspace.project, lambda: workspace.counter, workspace.selection)
        table.start(news.put_nowait)
        try:
            await asyncio.wait_for(scene(table, news), 60)
        finally:
            await table.close()

    asyncio.run(go())


async def until(table: FileTable, news: "asyncio.Queue[str]", holds: Callable[[FilesView], bool]) -> FilesView:
    """The first whole view for which something holds; looked at whenever there is news."""
    while not holds(view := await table.view()):
        await news.get()
    return view


def counts_of(view: FilesView) -> dict[str, int | None]:
    return dict(zip(view.paths, view.tokens, strict=True))


def exact(view: FilesView) -> Iterator[str]:
    return (path for path, mark in zip(view.paths, view.exact, strict=True) if mark == "1")


def test_a_large_workspace_is_not_read_whole(tmp_path: Path) -> None:
    """Beyond the limits nobody counts an unselected file; what is selected is counted all the same."""
    with make_workspace(tmp_path / "words") as workspace:
        folder = workspace.project.root / "many"
        folder.mkdir()
        for number in range(MAX_COUNTED_FILES):
            (folder / f"{number:04}.txt").write_text("word " * 10, encoding="utf-8")
        workspace.selection.replace(["words.py"])

        async def scene(table: FileTable, news: "asyncio.Queue[str]") -> None:
            view = await until(table, news, lambda view: not view.is_counting)
            assert "words.py" in exact(view)
            uncounted = [path for path, count in counts_of(view).items() if count is None and path not in view.excluded]
            assert uncounted
            assert len(view.paths) - len(uncounted) <= MAX_COUNTED_FILES + 3

        play(workspace, scene)


def test_a_cursor_gives_only_what_changed(tmp_path: Path) -> None:
    """A file written, one made and one removed come alone after a cursor; another run's cursor gives everything."""
    with make_workspace(tmp_path / "words") as workspace:
        root = workspace.project.root

        async def scene(table: FileTable, news: "asyncio.Queue[str]") -> None:
            first = await until(table, news, lambda view: not view.is_counting)
            assert first.is_whole
            assert (await table.view(first.cursor)).paths == ()
            (root / "words.py").write_text("x = 1  # longer than nothing\n", encoding="utf-8")
            (root / "new.py").write_text("y = 2\n", encoding="utf-8")
            (root / "README.md").unlink()
            await until(table, news, lambda view: "README.md" not in view.paths and counts_of(view).get("new.py") == 2)
            await until(table, news, lambda view: counts_of(view)["words.py"] == 8)
            change = await table.view(first.cursor)
            assert not change.is_whole
            assert change.paths == ("new.py", "words.py")
            assert change.removed == ("README.md",)
            for cursor in ("", "elsewhere:1", f"{first.cursor.partition(':')[0]}:99999"):
                assert (await table.view(cursor)).is_whole

        play(workspace, scene)


def test_an_edit_of_the_same_length_is_counted_again(tmp_path: Path) -> None:
    """What a file costs is of its present text, though the listing sees no difference."""
    with make_workspace(tmp_path / "words") as workspace:
        (workspace.project.root / "a.txt").write_text("aaaa", encoding="utf-8")

        async def scene(table: FileTable, news: "asyncio.Queue[str]") -> None:
            view = await until(table, news, lambda view: not view.is_counting)
            (workspace.project.root / "a.txt").write_text("bbbb", encoding="utf-8")
            while "a.txt" not in (await table.view(view.cursor)).paths:
                await news.get()

        play(workspace, scene)


def test_a_file_that_cannot_be_read_is_no_failure(tmp_path: Path) -> None:
    """A selected file that is not there, and one that turns out to be no text, leave the others their counts."""
    with make_workspace(tmp_path / "words") as workspace:
        (workspace.project.root / "test_words.py").unlink()

        async def scene(table: FileTable, news: "asyncio.Queue[str]") -> None:
            view = await until(table, news, lambda view: not view.is_counting)
            assert "test_words.py" not in view.paths
            assert view.excluded == {"logo.bin": "binary"}
            assert all(count is not None for path, count in counts_of(view).items() if path not in view.excluded)

        play(workspace, scene)


class _SlowCounter:
    """Counts words when it is let; `asked` is set when a count waits."""

    def __init__(self) -> None:
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    async def count(self, texts: Sequence[str]) -> list[Count]:
        """The words of the texts as they were when it was asked."""
        self.asked.set()
        await self.let.wait()
        return [Count(tokens=len(text.split()), exact=True) for text in texts]


def test_a_count_does_not_overwrite_a_newer_files(tmp_path: Path) -> None:
    """A file written while its old text was being counted keeps no count of the old text: it is counted again."""
    with make_workspace(tmp_path / "words") as workspace:
        path = workspace.project.root / "a.txt"
        path.write_text("one two three", encoding="utf-8")
        workspace.selection.replace(["a.txt"])  # counted before anything else

        async def go() -> None:
            counter = _SlowCounter()
            news: asyncio.Queue[str] = asyncio.Queue()
            table = FileTable(workspace.project, lambda: counter, workspace.selection)  # type: ignore[arg-type, return-value]
            table.start(news.put_nowait)
            try:
                await counter.asked.wait()
                path.write_text("one", encoding="utf-8")
                await until(table, news, lambda view: dict(zip(view.paths, view.sizes, strict=True))["a.txt"] == 3)
                counter.let.set()
                while counts_of(view := await table.view())["a.txt"] != 1:
                    assert counts_of(view)["a.txt"] is None
                    await news.get()
            finally:
                await table.close()

        asyncio.run(asyncio.wait_for(go(), 60))


def test_its_tasks_end_with_it(tmp_path: Path) -> None:
    """After closing nothing of the table runs any more, whether it was watching or in the middle of a count."""
    with make_workspace(tmp_path / "words") as workspace:

        async def go() -> None:
            counter = _SlowCounter()
            table = FileTable(workspace.project, lambda: counter, workspace.selection)  # type: ignore[arg-type, return-value]
            before = asyncio.all_tasks()
            table.start(lambda _: None)
            await counter.asked.wait()
            await table.close()
            assert asyncio.all_tasks() == before

        asyncio.run(asyncio.wait_for(go(), 60))


def test_without_watching_a_fresh_look_still_sees_everything(tmp_path: Path) -> None:
    """A table that was never started lists on demand, and anew when asked to."""
    with make_workspace(tmp_path / "words") as workspace:

        async def go() -> None:
            table = FileTable(workspace.project, lambda: workspace.counter, workspace.selection)
            before = await table.view()
            (workspace.project.root / "new.py").write_text("y = 2\n", encoding="utf-8")
            assert "new.py" not in (await table.view()).paths
            assert (await table.view(before.cursor, is_fresh=True)).paths == ("new.py",)
            await table.close()

        asyncio.run(go())


class BrokenWatch:
    """Breaks as often as it is told to; then watches as it should. While it is broken, nobody reports what changes."""

    def __init__(self, breaks: int) -> None:
        self.breaks = breaks
        self.attempts = 0

    def __call__(self, project: Project, stop: threading.Event) -> Iterator[frozenset[str]]:
        """As `tree.watch.changes`."""
        self.attempts += 1
        if self.attempts == 1:
            yield frozenset()  # works at first
        if self.attempts <= self.breaks:
            raise OSError("no space left for watches")
        yield from changes(project, stop)


def test_an_error_while_watching_is_survived_and_shown(tmp_path: Path) -> None:
    """The problem is a state while it stands; when the watch works again, what changed meanwhile is in the table, counts too."""
    with make_workspace(tmp_path / "words") as workspace:
        root = workspace.project.root
        (root / "a.txt").write_text("aaaa", encoding="utf-8")
        watch = BrokenWatch(breaks=3)
        news: asyncio.Queue[str] = asyncio.Queue()
        problems: list[str] = []
        is_repaired = asyncio.Event()

        async def wait(_delay_s: float) -> None:
            if watch.attempts == watch.breaks:
                await is_repaired.wait()

        def notify(what: str) -> None:
            problems.extend([table.watch_problem] if what == "watch" else [])
            news.put_nowait(what)

        table = FileTable(workspace.project, lambda: workspace.counter, workspace.selection, watch, wait)

        async def go() -> None:
            table.start(notify)
            before = await until(table, news, lambda view: not view.is_counting and bool(table.watch_problem))
            (root / "new.py").write_text("y = 2\n", encoding="utf-8")
            (root / "a.txt").write_text("bbbb", encoding="utf-8")
            (root / "README.md").unlink()
            assert "new.py" not in (await table.view()).paths
            is_repaired.set()
            await until(table, news, lambda view: "new.py" in view.paths and not view.is_counting)
            change = await table.view(before.cursor)
            assert {"a.txt", "new.py"} <= set(change.paths)
            assert change.removed == ("README.md",)
            await table.close()

        asyncio.run(asyncio.wait_for(go(), 60))
        assert problems == ["watching the files failed: OSError: no space left for watches", ""]
        assert watch.attempts == watch.breaks + 1


def test_an_error_while_counting_is_survived(tmp_path: Path) -> None:
    """A tokenizer that fails in a way nobody expected is asked again; the counts come in the end."""
    with make_workspace(tmp_path / "words") as workspace:
        failures = [RuntimeError("a bug"), RuntimeError("another")]

        def counter() -> TokenCounter:
            if failures:
                raise failures.pop()
            return workspace.counter

        async def go() -> None:
            news: asyncio.Queue[str] = asyncio.Queue()
            table = FileTable(workspace.project, counter, workspace.selection, sleep=lambda _: asyncio.sleep(0))
            table.start(news.put_nowait)
            view = await until(table, news, lambda view: not view.is_counting)
            assert None not in [count for path, count in counts_of(view).items() if path not in view.excluded]
            await table.close()

        asyncio.run(asyncio.wait_for(go(), 60))
        assert not failures
