"""A process that writes to a store until it is killed; it prints what the store has acknowledged."""

import sys
from itertools import count
from pathlib import Path

from dce.workspace.record.responses import News, Response, Status
from dce.workspace.record.store import Store
from tests.workspace.loop import a_generation

PIECE = "0123456789" * 20


def main(path: Path) -> None:
    """Writes cycles and generations forever; prints `cycle ID REV`, `text GENERATION SLOT CHARACTERS` or `end GENERATION SLOT` for each."""
    store = Store(path)
    for number in count():
        cycle = store.cycles.create(f"cycle {number}", "x" * 2000)
        _say("cycle", cycle.id, cycle.rev)
        cycle = store.cycles.edit(cycle.id, cycle.rev, context=f"edited {number}")
        _say("cycle", cycle.id, cycle.rev)
        generation = a_generation(store, n=2, cycle=cycle.id)
        running = [
            Response(generation=generation.id, slot=slot, version=1, status=Status.GENERATING) for slot in (1, 2)
        ]
        for piece in range(1, 6):
            news = News(thinking_offset=0, thinking="", text_offset=0, text=PIECE)
            store.progress.save([(response, news) for response in running])
            for slot in (1, 2):
                _say("text", generation.id, slot, piece * len(PIECE))
        done = Response(generation=generation.id, slot=1, version=1, status=Status.COMPLETE, text=PIECE * 5)
        store.progress.save_ends([done])
        _say("end", generation.id, 1)


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
