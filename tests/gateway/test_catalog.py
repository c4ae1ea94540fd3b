"""Model names cannot be wrong silently."""

from collections.abc import Mapping

import pytest

from dce.gateway.backends.backend import Backend, Discovery
from dce.gateway.backends.catalog import Catalog
from dce.gateway.backends.kinds import Kind, Model, Other, Vllm
from dce.gateway.settings import BackendSettings
from dce.wire.asking import ANY_MODEL
from dce.wire.errors import DceError


def backend(*names: str, context: int | None = 100, kind: Kind | None = None) -> Backend:
    """A backend that is up and serves these."""
    made = Backend(BackendSettings(url=f"http://{'-'.join(names) or 'none'}:1"))
    made.discovered(
        Discovery(kind=kind or Vllm(), models=tuple(Model(id=name, max_model_len=context) for name in names))
    )
    return made


def catalog(*backends: Backend, default: str = "", aliases: Mapping[str, str] | None = None) -> Catalog:
    return Catalog(backends, aliases or {}, default)


def refusal(table: Catalog, asked: str) -> DceError:
    """The error of a name."""
    with pytest.raises(DceError) as caught:
        table.resolve(asked)
    return caught.value


def test_models_of_all_backends_once_aliases_last() -> None:
    """A model that two backends serve is listed once; an alias is listed if its target is served."""
    table = catalog(backend("a", "b"), backend("b", "c"), aliases={"big": "a", "gone": "x"})
    assert [model.id for model in table.models()] == ["a", "b", "c", "big"]
    assert [model.max_model_len for model in table.models()] == [100] * 4


@pytest.mark.parametrize("asked", sorted(ANY_MODEL))
def test_a_placeholder_means_the_default(asked: str) -> None:
    """No name, `default` and the original's `local-model` mean the default model, or the first one served."""
    assert catalog(backend("a", "b")).resolve(asked).id == "a"
    assert catalog(backend("a", "b"), default="b").resolve(asked).id == "b"
    assert catalog(backend("a", "b"), default="big", aliases={"big": "b"}).resolve(asked).id == "b"


def test_a_placeholder_that_is_really_served_is_that_model() -> None:
    """Whoever serves a model called `local-model` gets it."""
    assert catalog(backend("a", "local-model")).resolve("local-model").id == "local-model"


def test_a_default_that_is_not_served_is_the_operators_fault() -> None:
    """A wrong default_model is named, not replaced by another model."""
    error = refusal(catalog(backend("a"), default="b"), "")
    assert error.code == "model_not_found"
    assert "'b'" in error.message
    assert "default_model" in error.hint


def test_an_alias_is_its_target() -> None:
    """The backend is asked for the name it serves."""
    assert catalog(backend("a", "b"), aliases={"big": "b"}).resolve("big").id == "b"
    assert refusal(catalog(backend("a"), aliases={"big": "b"}), "big").code == "model_not_found"


def test_an_unknown_name_names_the_served_ones_and_the_nearest() -> None:
    """A typing error is answered with the names there are and the one that was probably meant."""
    error = refusal(catalog(backend("smollm2-135m", "qwen3-8b")), "smolm-135m")
    assert (error.code, error.status) == ("model_not_found", 404)
    assert "qwen3-8b" in error.message
    assert "smollm2-135m" in error.hint
    assert "Did you mean" not in refusal(catalog(backend("a")), "zzzzzz").hint


def test_a_long_list_of_names_is_cut() -> None:
    """Hundreds of models, or a name of a megabyte, do not make a message of megabytes."""
    error = refusal(catalog(backend(*(f"model-{at}" for at in range(300)))), "x" * 100_000)
    assert len(error.message) < 1000
    assert "280 more" in error.message


def test_a_backend_that_is_down_serves_nothing() -> None:
    """Models of a backend that does not answer are not offered, nor is it a candidate."""
    down, up = backend("a"), backend("b")
    down.failed(DceError("backend_unreachable", "refused"))
    table = catalog(down, up)
    assert [model.id for model in table.models()] == ["b"]
    assert table.candidates("a") == []
    assert table.candidates("b") == [up]
    assert refusal(table, "a").code == "no_healthy_backend"


def test_why_nothing_is_up_is_said() -> None:
    """With no model at all the message has each backend's reason; a refused key stays what it is."""
    first, second = backend("a"), backend("b")
    first.failed(DceError("backend_unreachable", "refused"))
    second.failed(DceError("backend_timeout", "slow"))
    error = refusal(catalog(first, second), "a")
    assert error.code == "no_healthy_backend"
    assert "refused" in error.message
    assert "slow" in error.message
    first.failed(DceError("backend_unauthorized", "no"))
    assert refusal(catalog(first), "a").code == "backend_unauthorized"
    assert "serve no model" in refusal(catalog(backend()), "a").message


def limited() -> Catalog:
    """Three models and two aliases."""
    return catalog(backend("secret-70b", "small-1b", "small-2b"), aliases={"big": "secret-70b", "mini": "small-1b"})


def test_a_key_sees_only_its_models() -> None:
    """Allowed names are listed, with the aliases of allowed models; of an allowed alias the target is not."""
    table = limited()
    assert [model.id for model in table.listed(("small-1b",))] == ["small-1b", "mini"]
    assert [model.id for model in table.listed(("big",))] == ["big"]
    assert len(table.listed()) == 5


@pytest.mark.parametrize(
    ("asked", "allowed", "served"),
    [
        ("", ("small-2b",), "small-2b"),
        ("local-model", ("big",), "secret-70b"),
        ("big", ("big",), "secret-70b"),
        ("mini", ("small-1b",), "small-1b"),
    ],
)
def test_a_name_within_what_a_key_may_use(asked: str, allowed: tuple[str, ...], served: str) -> None:
    """The default is one of the key's own models, and an allowed alias leads to its target."""
    assert limited().resolve(asked, allowed).id == served


def test_a_default_that_a_key_may_not_use_is_not_its_default() -> None:
    """The operator's default model counts for the keys that may use it."""
    table = catalog(backend("a", "b"), default="b")
    assert table.resolve("", ("a",)).id == "a"
    assert table.resolve("", ("a", "b")).id == "b"


def test_what_a_key_may_not_use_does_not_exist_to_it() -> None:
    """A forbidden name and one that was never heard of get the same answer, which names only the key's own models."""
    errors = [_refused(name) for name in ("secret-70b", "nothing-at-all", "small-2")]
    for error in errors:
        assert (error.code, error.status) == ("model_not_allowed", 403)
        assert "small-1b" in error.message
        assert "secret-70b" not in error.message.replace("'secret-70b'", "") + error.hint
        assert "small-2b" not in error.message + error.hint
    assert len({error.message.split("; ")[1] for error in errors}) == 1
    assert "'small-1b'" in errors[-1].hint


def _refused(asked: str) -> DceError:
    with pytest.raises(DceError) as caught:
        limited().resolve(asked, ("small-1b",))
    return caught.value


def test_an_allowed_model_that_is_not_served() -> None:
    """It is missing, not forbidden; if none of a key's models is served, that is said with their names."""
    table = limited()
    with pytest.raises(DceError, match="no backend serves the model 'gone'") as caught:
        table.resolve("gone", ("gone", "small-1b"))
    assert caught.value.code == "model_not_found"
    with pytest.raises(DceError, match="allows is being served: gone"):
        table.listed(("gone",))


def test_an_alias_that_leads_nowhere_hides_no_model() -> None:
    """A served model whose name is also an alias of something that is not served is that model."""
    assert catalog(backend("a"), aliases={"a": "gone"}).resolve("a").id == "a"


@pytest.mark.parametrize(("asked", "default"), [("b", ""), ("big", ""), ("", "b"), ("", "big")])
def test_a_model_whose_backend_is_down_is_not_a_wrong_name(asked: str, default: str) -> None:
    """A model, alias or default that a backend served until it went down is refused as that backend's fault, which may pass."""
    away = backend("b")
    away.failed(DceError("backend_unreachable", "no connection to it"))
    error = refusal(catalog(backend("a"), away, default=default, aliases={"big": "b"}), asked)
    assert (error.code, error.status, str(error.hop)) == ("no_healthy_backend", 503, "backend")
    assert "http://b:1: no connection to it" in error.message


def test_a_key_learns_nothing_of_a_backend_whose_model_it_may_not_use() -> None:
    """To a key that may not use it a model whose backend is down is like any other name."""
    away = backend("b")
    away.failed(DceError("backend_unreachable", "no connection to it"))
    table = catalog(backend("a"), away)
    with pytest.raises(DceError) as caught:
        table.resolve("b", ("a",))
    assert caught.value.code == "model_not_allowed"
    assert "http://b" not in caught.value.message


def test_a_model_can_be_continued_if_every_backend_that_serves_it_can() -> None:
    """Whichever backend gets the request must be able to continue it; an alias is like its target, a model that is away cannot."""
    mixed = catalog(backend("a", "b"), backend("a", kind=Other()), aliases={"big": "a", "small": "b"})
    assert [mixed.can_continue(name) for name in ("a", "big", "b", "small", "gone")] == [
        False,
        False,
        True,
        True,
        False,
    ]
