"""The causes of an exception: libraries wrap the fact (a refused connection, a bad certificate) in layers of their own.

Invariant: decisions are based on the types found here, never on another library's messages.
"""

from collections.abc import Iterator


def causes(error: BaseException) -> list[BaseException]:
    """`error` and its causes, outermost first. The members of a group follow it, each with its own causes."""
    return list(_walk(error, set()))


def _walk(error: BaseException, seen: set[int]) -> Iterator[BaseException]:
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield at
        if isinstance(at, BaseExceptionGroup):
            for member in at.exceptions:
                yield from _walk(member, seen)
        # Suppressed contexts count too: httpcore2's pool raises `from None`, which hides the fact.
        at = at.__cause__ or at.__context__
