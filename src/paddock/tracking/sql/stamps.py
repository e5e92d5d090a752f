"""Who writes, and when: what every statement that writes is given."""

from dataclasses import dataclass

from paddock.kernel.refs import Actor


@dataclass(frozen=True, slots=True)
class Stamp:
    actor: Actor
    at_micros: int


@dataclass(frozen=True, slots=True)
class RunKey:
    """A run as the tables know it."""

    run_no: int
    experiment_no: int
