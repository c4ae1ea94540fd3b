"""Model names cannot be wrong silently."""

from collections.abc import Mapping

import pytest

from dce.gateway.body import PLACEHOLDER_MODELS
from dce.gateway.catalog import Catalog
from dce.gateway.kinds import Model, Vllm
from dce.gateway.settings import BackendSettings
from dce.gateway.upstream import Discovery, Upstream
from dce.wire.errors import DceError


def upstream(*names: str, context: int | None = 100) -> Upstream:
    """A backend that is up and serves these."""
    made = Upstream(BackendSettings(url=f"http://{'-'.join(names) or 'none'}:1"))
    made.discovered(Discovery(kind=Vllm(), models=tuple(Model(id=name, max_model_len=context) for name in names)))
    return made


def catalog(*upstreams: Upstream, default: str = "", aliases: Mapping[str, str] | None = None) -> Catalog:
    return Catalog(upstreams, aliases or {}, default)


def refusal(table: Catalog, asked: str) -> DceError:
    """The error of a name."""
    with pytest.raises(DceError) as caught:
        table.resolve(asked)
    return caught.value


def test_models_of_all_backends_once_aliases_last() -> None:
    """A model that two backends serve is listed once; an alias is listed if its target is served."""
    table = catalog(upstream("a", "b"), upstream("b", "c"), aliases={"big": "a", "gone": "x"})
    assert [model.id for model in table.models()] == ["a", "b", "c", "big"]
    assert [model.max_model_len for model in table.models()] == [100] * 4


@pytest.mark.parametrize("asked", sorted(PLACEHOLDER_MODELS))
def test_a_placeholder_means_the_default(asked: str) -> None:
    """No name, `default` and the original's `local-model` mean the default model, or the first one served."""
    assert catalog(upstream("a", "b")).resolve(asked).id == "a"
    assert catalog(upstream("a", "b"), default="b").resolve(asked).id == "b"
    assert catalog(upstream("a", "b"), default="big", aliases={"big": "b"}).resolve(asked).id == "b"


def test_a_placeholder_that_is_really_served_is_that_model() -> None:
    """Whoever serves a model called `local-model` gets it."""
    assert catalog(upstream("a", "local-model")).resolve("local-model").id == "local-model"


def test_a_default_that_is_not_served_is_the_operators_fault() -> None:
    """A wrong default_model is named, not replaced by another model."""
    error = refusal(catalog(upstream("a"), default="b"), "")
    assert error.code == "model_not_found"
    assert "'b'" in error.message
    assert "default_model" in error.hint


def test_an_alias_is_its_target() -> None:
    """The backend is asked for the name it serves."""
    assert catalog(upstream("a", "b"), aliases={"big": "b"}).resolve("big").id == "b"
    assert refusal(catalog(upstream("a"), aliases={"big": "b"}), "big").code == "model_not_found"


def test_an_unknown_name_names_the_served_ones_and_the_nearest() -> None:
    """A typing error is answered with the names there are and the one that was probably meant."""
    error = refusal(catalog(upstream("smollm2-135m", "qwen3-8b")), "smolm-135m")
    assert (error.code, error.status) == ("model_not_found", 404)
    assert "qwen3-8b" in error.message
    assert "smollm2-135m" in error.hint
    assert "Did you mean" not in refusal(catalog(upstream("a")), "zzzzzz").hint


def test_a_long_list_of_names_is_cut() -> None:
    """Hundreds of models, or a name of a megabyte, do not make a message of megabytes."""
    error = refusal(catalog(upstream(*(f"model-{at}" for at in range(300)))), "x" * 100_000)
    assert len(error.message) < 1000
    assert "280 more" in error.message


def test_a_backend_that_is_down_serves_nothing() -> None:
    """Models of a backend that does not answer are not offered, nor is it a candidate."""
    down, up = upstream("a"), upstream("b")
    down.failed(DceError("backend_unreachable", "refused"))
    table = catalog(down, up)
    assert [model.id for model in table.models()] == ["b"]
    assert table.candidates("a") == []
    assert table.candidates("b") == [up]
    assert refusal(table, "a").code == "model_not_found"


def test_why_nothing_is_up_is_said() -> None:
    """With no model at all the message has each backend's reason; a refused key stays what it is."""
    first, second = upstream("a"), upstream("b")
    first.failed(DceError("backend_unreachable", "refused"))
    second.failed(DceError("backend_timeout", "slow"))
    error = refusal(catalog(first, second), "a")
    assert error.code == "no_healthy_backend"
    assert "refused" in error.message
    assert "slow" in error.message
    first.failed(DceError("backend_unauthorized", "no"))
    assert refusal(catalog(first), "a").code == "backend_unauthorized"
    assert "serve no model" in refusal(catalog(upstream()), "a").message
