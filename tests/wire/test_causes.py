"""What led to an exception."""

from dce.wire.causes import causes


def raised(error: Exception, cause: BaseException | None, context: BaseException | None = None) -> Exception:
    error.__cause__ = cause
    error.__context__ = context
    return error


def test_causes_are_had_from_the_outermost_to_the_innermost() -> None:
    """A cause goes before the context it was raised in, and a context counts although it was suppressed."""
    inner = OSError(111, "refused")
    middle = raised(RuntimeError("middle"), None, inner)
    middle.__suppress_context__ = True
    outer = raised(ValueError("outer"), middle, KeyError("while it was handled"))
    assert causes(outer) == [outer, middle, inner]


def test_members_of_a_group_come_with_their_own_causes() -> None:
    """Each member of a group, nested or not, is followed to its end."""
    fact, other = ConnectionRefusedError(), OSError(101, "unreachable")
    first = raised(RuntimeError("first"), fact)
    group = ExceptionGroup("both", [first, ExceptionGroup("nested", [other])])
    assert [type(one) for one in causes(group)] == [
        ExceptionGroup,
        RuntimeError,
        ConnectionRefusedError,
        ExceptionGroup,
        OSError,
    ]


def test_a_circle_of_causes_ends() -> None:
    """Exceptions that name each other are told once each."""
    one, two = ValueError("one"), ValueError("two")
    raised(one, two)
    raised(two, one)
    assert causes(one) == [one, two]
