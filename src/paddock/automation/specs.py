"""The declared part of the loop that belongs to no other room: when to retrain."""

import msgspec


class RetrainSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[retrain.NAME]` of paddock.toml; NAME is the endpoint.

    pipeline: which `[pipeline.X]` fits the model. when: any of `quality`, `drift`, `cron: EXPRESSION`.
    cooldown: shortest time between two retrainings. gate_window: the newest labelled rows, which the
    candidate does not see and is judged on. min_new: how much labelled time must have passed since
    the champion's own rows end; it is larger than gate_window, or there would be nothing new to learn.
    """

    pipeline: str
    when: tuple[str, ...] = ("quality",)
    cooldown: str = "7d"
    gate_window: str = "7d"
    min_new: str = "14d"
