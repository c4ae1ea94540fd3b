"""Resolves the requested model name to a served one. A wrong name is always an error.

A missing name or a placeholder (`local-model`) means the default model; an alias means its target; any other name must be served by
a backend that is up, or the answer is 404 with the served names and the closest one. For a key limited to some names (aliases or
served names), no others exist: not in lists, messages or hints.
"""

from collections.abc import Collection, Mapping, Sequence

from dce.gateway.backends.backend import Backend
from dce.gateway.backends.busy import is_busy
from dce.gateway.backends.kinds import Model
from dce.wire.asking import ANY_MODEL
from dce.wire.errors import DceError
from dce.wire.nearest import MODEL_CUTOFF, advice, did_you_mean, nearest

MAX_NAMES_IN_MESSAGE = 20


class Catalog:
    """The models of all backends, under their public names."""

    def __init__(self, backends: Sequence[Backend], aliases: Mapping[str, str], default_model: str) -> None:
        self._backends = backends
        self._aliases = aliases
        self._default = default_model

    def models(self) -> list[Model]:
        """The served models without duplicates, aliases last."""
        served = {model.id: model for backend in self._backends if backend.is_up for model in reversed(backend.models)}
        ordered = [
            served[name]
            for backend in self._backends
            for name in dict.fromkeys(m.id for m in backend.models)
            if name in served
        ]
        unique = list({model.id: model for model in ordered}.values())
        names = {model.id: model.max_model_len for model in unique}
        return unique + [
            Model(id=alias, max_model_len=names[to])
            for alias, to in self._aliases.items()
            if to in names and alias not in names
        ]

    def listed(self, allowed: Sequence[str] = ()) -> list[Model]:
        """The models a key may use (empty `allowed`: all). Raises no_healthy_backend or model_not_found when there are none."""
        return self._visible(self.models(), allowed)

    def _visible(self, models: list[Model], allowed: Sequence[str]) -> list[Model]:
        if not models:
            raise self.nothing_up()
        visible = [model for model in models if self._is_allowed(model.id, allowed)] if allowed else models
        if not visible:
            raise DceError(
                "model_not_found",
                f"none of the models the key allows is being served: {_names(allowed)}",
                hint="Ask the operator to start one of them, or to allow the key another model.",
            )
        return visible

    def resolve(self, asked: str, allowed: Sequence[str] = ()) -> Model:
        """The served model a request means. Raises no_healthy_backend, model_not_allowed or model_not_found."""
        all_models = {model.id: model for model in self.models()}
        models = [model.id for model in self._visible(list(all_models.values()), allowed)]
        name = asked
        if asked in ANY_MODEL and asked not in models:
            name = self._default_of(models, allowed)
        if name in models:
            target = self._aliases.get(name, name)
            return all_models[target if target in all_models else name]
        guess = did_you_mean(nearest(asked, models, MODEL_CUTOFF))
        hint = advice(guess, "Leave `model` out to use the default.") if guess else ""
        if not self._is_allowed(asked, allowed):
            # The same answer for served and unserved names, so that it does not reveal which models exist.
            fact = f"the key does not allow the model {asked[:200]!r}; it allows: {_names(models)}"
            raise DceError("model_not_allowed", fact, hint=hint)
        self._refuse_away(asked)
        raise DceError(
            "model_not_found", f"no backend serves the model {asked[:200]!r}; served: {_names(models)}", hint=hint
        )

    def _refuse_away(self, asked: str) -> None:
        """A name served until its backend went down is not a wrong name. Raises no_healthy_backend."""
        model = self._aliases.get(asked, asked)
        away = [one for one in self._backends if any(served.id in (asked, model) for served in one.models)]
        faults = [f"{backend.url}: {backend.fault.message}" for backend in away if backend.fault]
        if faults:
            raise DceError(
                "no_healthy_backend",
                f"the backend of model {asked!r} is down: {'; '.join(faults)}",
                retry_after_s=_until_ready(away),
            )

    def _default_of(self, models: Sequence[str], allowed: Sequence[str]) -> str:
        if not self._default or not self._is_allowed(self._default, allowed):
            return models[0]
        if self._default in models:
            return self._default
        self._refuse_away(self._default)
        raise DceError(
            "model_not_found",
            f"the default model {self._default!r} is not being served; served: {_names(models)}",
            hint="Name a served model, or ask the operator to correct default_model.",
        )

    def _is_allowed(self, name: str, allowed: Sequence[str]) -> bool:
        return not allowed or name in allowed or self._aliases.get(name) in allowed

    def candidates(self, model: str) -> list[Backend]:
        """The backends currently serving a model."""
        return [backend for backend in self._backends if backend.serves(model)]

    def can_continue(self, name: str) -> bool:
        """Whether every backend serving a model or alias can continue a partial answer, whichever one gets the request."""
        model = self._aliases.get(name, name)
        serving = self.candidates(model) or self.candidates(name)
        return bool(serving) and all(backend.kind.can_continue(model) for backend in serving)

    def nothing_up(self) -> DceError:
        """Why nothing is served: a single backend's own fault, or a summary of all faults."""
        faults = [f"{backend.url}: {backend.fault.message}" for backend in self._backends if backend.fault]
        if not faults:
            return DceError(
                "no_healthy_backend",
                "the backends are up but serve no models",
                hint="Start the inference server with a model.",
            )
        only = self._backends[0].fault if len(self._backends) == 1 else None
        if only is not None and only.code == "backend_unauthorized":
            return only
        hint = only.hint if only is not None and only.code == "no_healthy_backend" else ""
        return DceError(
            "no_healthy_backend",
            "no backend is usable: " + "; ".join(faults),
            retry_after_s=_until_ready(self._backends),
            hint=hint,
        )


def _until_ready(backends: Collection[Backend]) -> float | None:
    """When to ask again, if one of the backends that are down is only loading its model; None if none is."""
    waits = [one.fault.retry_after_s for one in backends if one.fault is not None and is_busy(one.fault)]
    return min((wait for wait in waits if wait is not None), default=None)


def _names(names: Collection[str]) -> str:
    shown = list(names)[:MAX_NAMES_IN_MESSAGE]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
