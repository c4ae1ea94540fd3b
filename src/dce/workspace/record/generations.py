"""A generation: what was asked when N responses to one prompt were wanted. `generator.py` runs it."""

import msgspec


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked. `max_tokens` 0: the backend's own limit; `model` "": the gateway's default, until it names itself.

    `card` names the model card it was asked by ("" the settings' own); `temperature_spread`: see `sampling.py`.
    """

    id: int
    cycle: int
    prompt_sha256: str
    model: str
    n: int
    schema: str
    nonce: str
    max_tokens: int
    temperature: float | None = None
    temperature_spread: float | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    created_at: float
    ended_at: float | None = None
    stream_id: str = ""
    prompt_tokens: int = 0
    card: str = ""
