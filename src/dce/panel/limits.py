"""Everything the panel bounds, in one place: what it accepts, what it keeps, what it reads. Deadlines stand with what waits for them.

What must always hold: whatever the workspace accepts can be sent to it through the panel, so the limits of bodies follow from the
workspace's own (tests/panel/test_limits.py compares them).
"""

from dce.workspace.context.sources import MAX_NAMED_BYTES
from dce.workspace.manual import MAX_PASTED_CHARS
from dce.workspace.record.cycles import MAX_FIELD_CHARS
from dce.workspace.transfer import MAX_JSON_BYTES

JSON_BYTES_PER_CHAR = 6
"""The most that a browser writes for a character of a text in JSON: a control character becomes `\\u001b`. Ordinary text takes 1 to 3."""

BODY_OVERHEAD_BYTES = 64 * 1024
"""Room for what stands around the texts of a body: names, numbers, a title, punctuation."""

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Largest body of a route that takes no long text. Lists of paths are the longest: 100,000 paths of 80 characters."""

MAX_CYCLE_BODY_BYTES = 3 * MAX_FIELD_CHARS * JSON_BYTES_PER_CHAR + BODY_OVERHEAD_BYTES
"""A cycle: title, context and one-time context, each as long as the workspace accepts."""

MAX_ANSWER_BODY_BYTES = MAX_PASTED_CHARS * JSON_BYTES_PER_CHAR + BODY_OVERHEAD_BYTES
"""A pasted or corrected answer, as long as the workspace accepts."""

MAX_SEARCH_BODY_BYTES = MAX_NAMED_BYTES * JSON_BYTES_PER_CHAR + BODY_OVERHEAD_BYTES
"""A stack trace, diff or log in which files are looked for."""

MAX_IMPORT_BYTES = MAX_JSON_BYTES
"""Largest history file that is imported through a browser. It goes to the disk, never whole into memory."""

MAX_FILE_NAME_CHARS = 60
"""Of an imported file's name: a name has at most 255 bytes on every system, and a character takes up to 4."""

MIN_COMPRESSED_BYTES = 64 * 1024
"""Responses of at least this size are compressed, for panels behind a tunnel; smaller ones gain nothing."""

MAX_EVENTS = 4_000
"""Events kept for windows that reconnect. A response sends at most 20 a second, so 20 of them (the most in a generation) fill this in
10 seconds, ten times as long as a browser waits before it reconnects."""

MAX_EVENT_LOG_BYTES = 16 * 1024 * 1024
"""Size of the kept events, in case single ones are large."""

MAX_COUNTED_FILES = 2_000
MAX_COUNTED_BYTES = 8_000_000
"""Unselected files are read and counted up to these, smallest first. Beyond them a window estimates from the size and says so."""

BATCH_FILES = 100
BATCH_BYTES = 500_000
"""How much is counted at a time: a tokenizer on the same machine takes well under a second for it."""

MAX_REMOVED_PATHS = 10_000
"""Removed paths remembered for windows that ask only for changes; a window with an older cursor gets the whole table."""

MAX_OPEN_TOKENS = 16
"""One-time tokens issued and not used yet; a new one drops the oldest, so that asking for links cannot fill the memory."""

MAX_WORKER_THREADS = 16
"""Threads for what would block the event loop: requests of several windows, watching the files, and the counts and checks in between."""
