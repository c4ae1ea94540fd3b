"""Model names: what is asked for, to what is served. A name cannot be wrong silently.

An absent name or a placeholder (`local-model`) means the default model; an alias means its target; anything else must be
served by a backend that is up, or the answer is 404 with the served names and the nearest one.
"""

import difflib
from collections.abc import Mapping, Sequence

from dce.gateway.body import PLACEHOLDER_MODELS
from dce.gateway.kinds import Model
from dce.gateway.upstream import Upstream
from dce.wire.errors import DceError

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

    def resolve(self, asked: str) -> Model:
        """The served model a request means. Raises no_healthy_backend or model_not_found."""
        models = {model.id: model for model in self.models()}
        if not models:
            raise self.nothing_up()
        name = self._aliases.get(asked, asked)
        if name in models:
            return models[name]
        if asked in PLACEHOLDER_MODELS:
            default = self._aliases.get(self._default, self._default)
            if not default or default in models:
                return models[default] if default else next(iter(models.values()))
            raise DceError(
                "model_not_found",
                f"the default model {default!r} is not served now; served: {_names(models)}",
                hint="The operator should correct default_model.",
            )
        near = difflib.get_close_matches(asked, models, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]!r}? Leave `model` out to get the default." if near else ""
        raise DceError(
            "model_not_found", f"no backend serves the model {asked[:200]!r}; served: {_names(models)}", hint=hint
        )

    def candidates(self, model: str) -> list[Upstream]:
        """The backends that serve it now."""
        return [upstream for upstream in self._upstreams if upstream.serves(model)]

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


def _names(models: Mapping[str, Model]) -> str:
    shown = list(models)[:MAX_NAMES_IN_MESSAGE]
    more = len(models) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
