"""The store: acknowledged writes are kept, unreadable files are refused, ids come from the database."""

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.record.backups import Backups
from dce.workspace.record.database import _translated
from dce.workspace.record.responses import News, Response, Status, Tokens
from dce.workspace.record.store import STORE_FILE, Store
from tests.workspace.loop import a_generation, a_prompt, a_store


def test_meta_values_survive_reopening(tmp_path: Path) -> None:
    """A named value survives closing and reopening the store; an unknown one is None."""
    with a_store(tmp_path) as store:
        store.meta.set("selection", '["a"]')
        store.meta.set("selection", '["b"]')
    with a_store(tmp_path) as store:
        assert store.meta.get("selection") == '["b"]'
        assert store.meta.get("other") is None


def test_counts_are_kept_by_tokenizer_and_text(tmp_path: Path) -> None:
    """Counts are returned for the tokenizer they were made with, however many are requested at once."""
    with a_store(tmp_path) as store:
        known = {f"{number:064x}": number for number in range(1200)}
        store.token_counts.put("one", known)
        assert store.token_counts.get("one", [*known, "unknown"]) == known
        assert store.token_counts.get("two", list(known)) == {}


@pytest.mark.parametrize("content", [b"", b"this is no database, " * 300, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    """An empty file, text or a broken database does not count as an empty store; not a byte of it changes."""
    path = tmp_path / STORE_FILE
    path.write_bytes(content)
    with pytest.raises(DceError) as caught:
        Store(path)
    assert caught.value.code == "store_unreadable"
    assert str(path) in caught.value.message
    assert path.read_bytes() == content
    assert [entry.name for entry in tmp_path.iterdir()] == [STORE_FILE]


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    """A valid SQLite file that DCE did not create is not modified."""
    path = tmp_path / STORE_FILE
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE theirs (x)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(DceError, match="not a store of DCE"):
        Store(path)
    assert path.read_bytes() == before


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """An older DCE does not modify a store written by a newer one."""
    a_store(tmp_path).close()
    db = sqlite3.connect(tmp_path / STORE_FILE)
    db.execute("PRAGMA user_version = 9999")
    db.close()
    before = (tmp_path / STORE_FILE).read_bytes()
    with pytest.raises(DceError, match="newer DCE") as caught:
        a_store(tmp_path)
    assert caught.value.code == "store_unreadable"
    assert (tmp_path / STORE_FILE).read_bytes() == before


def test_a_folder_in_the_stores_place_is_refused(tmp_path: Path) -> None:
    """Any reason why the file cannot be opened gives store_unreadable."""
    (tmp_path / STORE_FILE).mkdir()
    with pytest.raises(DceError) as caught:
        a_store(tmp_path)
    assert caught.value.code == "store_unreadable"


def test_many_may_create_the_store_at_once(tmp_path: Path) -> None:
    """Threads that open a missing store at the same time all get the same one."""
    start, stores = threading.Barrier(6), list[Store]()

    def open_it(number: int) -> None:
        start.wait()
        store = a_store(tmp_path)
        stores.append(store)
        store.meta.set(f"key{number}", "x")

    threads = [threading.Thread(target=open_it, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stores[0].meta.get(f"key{number}") for number in range(6)] == ["x"] * 6
    for store in stores:
        store.close()


def test_saves_are_durable_before_they_return(tmp_path: Path) -> None:
    """The connection syncs to disk, uses a write-ahead log and foreign keys, and waits for other writers."""
    with a_store(tmp_path) as store:
        pragmas = {
            name: store.database.row(f"PRAGMA {name}")[0] for name in ("synchronous", "journal_mode", "foreign_keys")
        }
        assert pragmas == {"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}
        assert store.database.row("PRAGMA busy_timeout")[0] == 10_000


def test_a_number_beyond_64_bits_is_unknown(tmp_path: Path) -> None:
    """A number too large for SQLite is not found, like any other unknown id."""
    with Store(tmp_path / "dce.db") as store, pytest.raises(DceError, match="number this large") as caught:
        store.responses.get(1, 2**70)
    assert caught.value.code == "not_found"


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    """A generation with an unknown prompt is not stored, and neither are its responses."""
    with a_store(tmp_path) as store:
        good = a_generation(store)
        with pytest.raises(sqlite3.IntegrityError):
            a_generation(store, prompt_sha256="nowhere")
        assert store.generations.list() == (good,)
        assert len(store.responses.latest(good.id)) == 3


def test_generation_ids_are_never_used_again(tmp_path: Path) -> None:
    """Ids come from the database and are not reused after their row is deleted."""
    with a_store(tmp_path) as store:
        first = a_generation(store, n=1)
        store.database._db.execute("DELETE FROM responses")
        store.database._db.execute("DELETE FROM generations")
        assert a_generation(store, n=1).id == first.id + 1


def test_a_prompt_comes_back_as_it_was(tmp_path: Path) -> None:
    """Text, sections and manifest of a prompt survive, and so does its grammar."""
    prompt = a_prompt("line\r\n\ttext with ünïcode 🦊 and \x0b\n")
    with a_store(tmp_path) as store:
        store.prompts.put(prompt, "root ::= .*", 1.0)
        store.prompts.put(prompt, "other", 2.0)
        assert store.prompts.get(prompt.sha256) == prompt
        assert store.prompts.grammar(prompt.sha256) == "root ::= .*"
        with pytest.raises(DceError) as caught:
            store.prompts.get("none")
        assert caught.value.code == "not_found"


def test_running_text_is_appended_and_written_whole_once(tmp_path: Path) -> None:
    """Text can be read while it is stored in pieces; at the end the whole replaces the pieces."""
    with a_store(tmp_path) as store:
        generation = a_generation(store, n=2)
        running = msgspec.structs.replace(store.responses.get(generation.id, 1), status=Status.GENERATING)
        for thinking, text in (("hm ", ""), ("so", "a"), ("", "b")):
            news = News(thinking_offset=0, thinking=thinking, text_offset=0, text=text)
            store.progress.save([(running, news)])
        stored = store.responses.get(generation.id, 1)
        assert (stored.thinking, stored.text, stored.status) == ("hm so", "ab", Status.GENERATING)
        ended = msgspec.structs.replace(
            running, status=Status.COMPLETE, thinking="hm so", text="abc", tokens=Tokens(answer=3, exact=True)
        )
        store.progress.save_ends([ended])
        assert store.responses.get(generation.id, 1) == ended
        assert store.database.row("SELECT count(*) FROM pieces")[0] == 0


def test_an_end_is_final(tmp_path: Path) -> None:
    """Late progress or another end does not change a terminal response."""
    with a_store(tmp_path) as store:
        generation = a_generation(store, n=1)
        queued = store.responses.get(generation.id, 1)
        stopped = msgspec.structs.replace(queued, status=Status.STOPPED, text="kept")
        store.progress.save_ends([stopped])
        late = msgspec.structs.replace(queued, status=Status.GENERATING)
        store.progress.save([(late, News(thinking_offset=0, thinking="", text_offset=0, text="late"))])
        store.progress.save_ends([msgspec.structs.replace(queued, status=Status.COMPLETE, text="late")])
        assert store.responses.get(generation.id, 1) == stopped
        assert store.database.row("SELECT count(*) FROM pieces")[0] == 0


def test_versions_grow_and_older_ones_stay(tmp_path: Path) -> None:
    """A new version requires that the last one has ended; the older keeps its text, the latest is shown."""
    with a_store(tmp_path) as store:
        generation = a_generation(store, n=2)
        with pytest.raises(DceError) as caught:
            store.responses.insert_versions(generation.id, [2])
        assert caught.value.code == "conflict"
        first = msgspec.structs.replace(store.responses.get(generation.id, 2), status=Status.ERROR, text="old")
        store.progress.save_ends([first])
        (second,) = store.responses.insert_versions(generation.id, [2])
        assert second.version == 2
        assert store.responses.versions(generation.id, 2) == (first, second)
        assert store.responses.latest(generation.id)[1] == second
        assert store.responses.get(generation.id, 2, version=1) == first
        with pytest.raises(DceError) as caught:
            store.responses.insert_versions(generation.id, [2, 7])
        assert caught.value.code == "conflict"


def test_what_no_process_works_on_is_interrupted_with_its_text(tmp_path: Path) -> None:
    """Dangling responses become interrupted, with their pieces; ended ones stay."""
    with a_store(tmp_path) as store:
        generation = a_generation(store, n=3)
        done = msgspec.structs.replace(store.responses.get(generation.id, 1), status=Status.COMPLETE, text="done")
        store.progress.save_ends([done])
        running = msgspec.structs.replace(store.responses.get(generation.id, 2), status=Status.GENERATING)
        store.progress.save([(running, News(thinking_offset=0, thinking="", text_offset=0, text="half"))])
        assert store.progress.has_active()
        assert store.progress.interrupt_active(50.0) == 2
        assert not store.progress.has_active()
        after = store.responses.latest(generation.id)
        assert [response.status for response in after] == [Status.COMPLETE, Status.INTERRUPTED, Status.INTERRUPTED]
        assert after[0] == done
        assert after[1].text == "half"
        assert after[1].error is not None
        assert after[1].error.code == "interrupted"
        assert store.progress.interrupt_active(60.0) == 0


def test_check_reports_are_of_the_latest_version(tmp_path: Path) -> None:
    """A check report belongs to a version: after a regeneration the slot has none until it is checked again."""

    class Report(msgspec.Struct, frozen=True, kw_only=True):
        passed: int

    with a_store(tmp_path) as store:
        generation = a_generation(store, n=2)
        store.check_reports.put(generation.id, 1, 1, Report(passed=1))
        store.check_reports.put(generation.id, 1, 1, Report(passed=2))
        store.check_reports.put(generation.id, 2, 1, Report(passed=3))
        assert store.check_reports.latest(generation.id, Report) == {1: Report(passed=2), 2: Report(passed=3)}
        store.progress.save_ends([msgspec.structs.replace(store.responses.get(generation.id, 1), status=Status.ERROR)])
        store.responses.insert_versions(generation.id, [1])
        assert store.check_reports.latest(generation.id, Report) == {2: Report(passed=3)}


def test_acceptances_and_blobs_are_kept(tmp_path: Path) -> None:
    """A journalled acceptance moves through its states; a blob is found by its hash, stored once."""
    with a_store(tmp_path) as store:
        generation = a_generation(store, n=1)
        sha256s = store.blobs.put_all([b"\0bytes\xff", b"", b"\0bytes\xff"])
        assert sha256s[0] == sha256s[2]
        assert [store.blobs.get(sha256) for sha256 in sha256s[:2]] == [b"\0bytes\xff", b""]
        planned = store.acceptances.insert(generation.id, 1, 1, "[]", 5.0)
        second = store.acceptances.insert(generation.id, 1, 1, "[]", 6.0)
        assert store.acceptances.set(planned.id, "applied", files="[1]").files == "[1]"
        assert [row.id for row in store.acceptances.list()] == [second.id, planned.id]
        assert [row.id for row in store.acceptances.list("planned")] == [second.id]
        restored = store.acceptances.set(planned.id, "restored", restored_at=9.0)
        assert (restored.state, restored.restored_at, restored.files) == ("restored", 9.0, "[1]")
        for missing in (lambda: store.blobs.get("none"), lambda: store.acceptances.get(99)):
            with pytest.raises(DceError):
                missing()


def test_another_processs_write_shows(tmp_path: Path) -> None:
    """`data_version` changes when another process writes, and not on this process's own writes."""
    with a_store(tmp_path) as store:
        before = store.data_version()
        store.meta.set("mine", "1")
        assert store.data_version() == before
        code = f"from pathlib import Path; from dce.workspace.record.store import Store; Store(Path({str(tmp_path / STORE_FILE)!r})).meta.set('theirs', '2')"
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
        assert store.data_version() != before
        assert store.meta.get("theirs") == "2"


def test_a_store_that_another_writes_too_long_is_locked(tmp_path: Path) -> None:
    """A busy store is reported as busy by SQLite's code, whatever its path contains, and can be used again afterwards."""
    folder = tmp_path / "locked"
    folder.mkdir()
    with Store(folder / STORE_FILE) as store:
        store.database._db.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(folder / STORE_FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(DceError) as caught:
            store.meta.set("a", "1")
        assert caught.value.code == "workspace_locked"
        other.execute("ROLLBACK")
        other.close()
        store.meta.set("a", "1")
        with pytest.raises(DceError) as caught:
            store.database.rows("SELECT x FROM locked")
        assert caught.value.code == "store_unreadable"


def test_threads_share_a_store(tmp_path: Path) -> None:
    """Writers in many threads lose nothing and see only whole rows."""
    with a_store(tmp_path) as store:
        generation = a_generation(store, n=8)

        def work(slot: int) -> None:
            response = msgspec.structs.replace(store.responses.get(generation.id, slot), status=Status.GENERATING)
            for number in range(20):
                news = News(thinking_offset=0, thinking="", text_offset=number, text=str(number % 10))
                store.progress.save([(response, news)])
                seen = store.responses.get(generation.id, slot).text
                assert seen == ("0123456789" * 2)[: number + 1]

        failures: list[BaseException] = []

        def guarded(slot: int) -> None:
            try:
                work(slot)
            except BaseException as error:  # noqa: BLE001 - told by the main thread
                failures.append(error)

        threads = [threading.Thread(target=guarded, args=(slot,)) for slot in range(1, 9)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []


def test_stream_targets_are_the_running_responses(tmp_path: Path) -> None:
    """Stoppable responses are listed with stream and choice, by slot or all; the model's name is recorded."""
    with a_store(tmp_path) as store:
        generation = a_generation(store, n=3)
        responses: tuple[Response, ...] = store.responses.latest(generation.id)
        store.progress.open_stream(generation.id, "s1", "", responses)
        store.progress.open_stream(generation.id, "s1", "named", responses)
        store.progress.save_ends([msgspec.structs.replace(responses[1], status=Status.COMPLETE)])
        assert [(target.slot, target.stream_id, target.index) for target in store.progress.targets(generation.id)] == [
            (1, "s1", 0),
            (3, "s1", 2),
        ]
        assert [target.slot for target in store.progress.targets(generation.id, 3)] == [3]
        assert store.generations.get(generation.id).model == "named"
        assert store.generations.get(generation.id).stream_id == "s1"


def test_an_unreadable_store_names_the_way_back(tmp_path: Path) -> None:
    """The error for a destroyed store gives the next step, and the backup is valid (D1)."""
    with a_store(tmp_path) as store:
        store.cycles.create("kept")
        backup = Backups(store.path, lambda: 1.0).take()
    (tmp_path / STORE_FILE).write_bytes(b"destroyed" * 1000)
    with pytest.raises(DceError) as caught:
        a_store(tmp_path)
    assert "`dce store check`" in caught.value.hint
    with Store(backup) as kept:
        assert kept.cycles.current().title == "kept"


def test_a_lock_is_told_by_its_code_not_by_the_words(tmp_path: Path) -> None:
    """A database locked by another writer gives `workspace_locked`; an error that only mentions a lock does not."""
    path = tmp_path / "some.db"
    first, second = (sqlite3.connect(path, timeout=0, isolation_level=None) for _ in range(2))
    first.execute("BEGIN IMMEDIATE")
    codes = []
    for sql in ("BEGIN IMMEDIATE", "SELECT locked FROM sqlite_schema"):
        with pytest.raises(DceError) as caught, _translated(path):
            second.execute(sql)
        codes.append(caught.value.code)
    first.close()
    second.close()
    assert codes == ["workspace_locked", "store_unreadable"]
