"""Model names: what is asked for, to what is served. A name cannot be wrong silently.

An absent name or a placeholder (`local-model`) means the default model; an alias means its target; anything else must be
served by a backend that is up, or the answer is 404 with the served names and the nearest one. A key may be allowed some names
only (aliases or served names): to it no others exist, in lists, messages or hints.
"""

from collections.abc import Collection, Mapping, Sequence

from dce.gateway.backends.kinds import Model
from dce.gateway.backends.upstream import Upstream
from dce.wire.asking import ANY_MODEL
from dce.wire.errors import DceError
from dce.wire.nearest import MODEL_CUTOFF, advice, did_you_mean, nearest

MAX_NAMES_IN_MESSAGE = 20


class Catalog:
    """The served models of all backends under their public names."""

    def __init__(self, upstreams: Sequence[Upstream], aliases: Mapping[str, str], default_model: str) -> None:
        self._upstreams = upstreams
        self._aliases = aliases
        self._default = default_model

    def models(self) -> list[Model]:
        """The served models, aliases last, each once."""
        served = {
            model.id: model for upstream in self._upstreams if upstream.is_up for model in reversed(upstream.models)
        }
        ordered = [
            served[name]
            for upstream in self._upstreams
            for name in dict.fromkeys(m.id for m in upstream.models)
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
        """The models that a key may use (no names: all). Raises no_healthy_backend or model_not_found when there is none now."""
        return self._visible(self.models(), allowed)

    def _visible(self, models: list[Model], allowed: Sequence[str]) -> list[Model]:
        if not models:
            raise self.nothing_up()
        visible = [model for model in models if self._is_allowed(model.id, allowed)] if allowed else models
        if not visible:
            raise DceError(
                "model_not_found",
                f"none of the models that the key may use is served now: {_names(allowed)}",
                hint="Ask the operator: the key allows only these.",
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
        hint = advice(guess, "Leave `model` out to get the default.") if guess else ""
        if not self._is_allowed(asked, allowed):
            # The same for a name that is served and one that is not: it does not tell what there is.
            fact = f"the key does not allow the model {asked[:200]!r}; it allows: {_names(models)}"
            raise DceError("model_not_allowed", fact, hint=hint)
        self._refuse_away(asked)
        raise DceError(
            "model_not_found", f"no backend serves the model {asked[:200]!r}; served: {_names(models)}", hint=hint
        )

    def _refuse_away(self, asked: str) -> None:
        """A name that a backend served until it went down is not wrong. Raises no_healthy_backend."""
        model = self._aliases.get(asked, asked)
        away = [
            f"{upstream.url}: {upstream.fault.message}"
            for upstream in self._upstreams
            if upstream.fault and any(served.id in (asked, model) for served in upstream.models)
        ]
        if away:
            raise DceError("no_healthy_backend", f"what served the model {asked!r} is down: {'; '.join(away)}")

    def _default_of(self, models: Sequence[str], allowed: Sequence[str]) -> str:
        if not self._default or not self._is_allowed(self._default, allowed):
            return models[0]
        if self._default in models:
            return self._default
        self._refuse_away(self._default)
        raise DceError(
            "model_not_found",
            f"the default model {self._default!r} is not served now; served: {_names(models)}",
            hint="The operator should correct default_model.",
        )

    def _is_allowed(self, name: str, allowed: Sequence[str]) -> bool:
        return not allowed or name in allowed or self._aliases.get(name) in allowed

    def candidates(self, model: str) -> list[Upstream]:
        """The backends that serve it now."""
        return [upstream for upstream in self._upstreams if upstream.serves(model)]

    def can_continue(self, name: str) -> bool:
        """Whether all that serve a model or alias now can go on with the beginning of an answer, whichever of them gets it."""
        model = self._aliases.get(name, name)
        serving = self.candidates(model) or self.candidates(name)
        return bool(serving) and all(upstream.kind.can_continue(model) for upstream in serving)

    def nothing_up(self) -> DceError:
        """Why nothing is served: the one backend's own fault if there is one, else all of them."""
        faults = [f"{upstream.url}: {upstream.fault.message}" for upstream in self._upstreams if upstream.fault]
        if not faults:
            return DceError(
                "no_healthy_backend",
                "the backends are up but serve no model",
                hint="Start the inference server with a model.",
            )
        only = self._upstreams[0].fault if len(self._upstreams) == 1 else None
        if only is not None and only.code == "backend_unauthorized":
            return only
        return DceError("no_healthy_backend", "no backend can be used now: " + "; ".join(faults))


def _names(names: Collection[str]) -> str:
    shown = list(names)[:MAX_NAMES_IN_MESSAGE]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
