"""What led to an exception: libraries wrap the fact (a refused connection, a certificate) in layers of their own.

What must always hold: a decision is made on the types found here, never on another library's words.
"""

from collections.abc import Iterator


def causes(error: BaseException) -> list[BaseException]:
    """`error` and everything that led to it, the outermost first. The members of a group follow it, each with its own causes."""
    return list(_walk(error, set()))


def _walk(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        if isinstance(at, BaseExceptionGroup):
            for member in at.exceptions:
                yield from _walk(member, seen)
        # A context that was suppressed counts too: httpcore2 raises `from None` on the way through its pool, which hides the fact.
        at = at.__cause__ or at.__context__
