"""The rollouts of an endpoint, in SQL."""

import msgspec

from paddock.automation.records import Rollout
from paddock.kernel.clock import from_micros, to_micros
from paddock.kernel.refs import Actor
from paddock.metadata import Reader, Row, SqlValue, Transaction

_COLUMNS = """rollout_id, endpoint, model, origin, trigger_words, champion, candidate, gated, phase, step,
  fit_before, gate_until, started_at, phase_started_at"""


def insert_rollout(tx: Transaction, actor: Actor, rollout: Rollout) -> None:
    tx.execute(
        f"""INSERT INTO rollouts ({_COLUMNS}, project_id, principal, is_open, revision)
        VALUES (:rollout_id, :endpoint, :model, :origin, :trigger_words, :champion, :candidate, :gated,
          :phase, :step, :fit_before, :gate_until, :started_at, :phase_started_at,
          :project_id, :principal, :is_open, 1)""",  # noqa: S608  a constant
        {**_params(rollout), "project_id": actor.project_id, "principal": actor.principal},
    )


def update_rollout(tx: Transaction, project_id: str, rollout: Rollout, was: Rollout) -> bool:
    """Replace `was` by `rollout`; False when somebody else has moved it since."""
    changed = tx.execute(
        """UPDATE rollouts SET candidate = :candidate, gated = :gated, phase = :phase, step = :step,
          is_open = :is_open, phase_started_at = :phase_started_at, revision = revision + 1
        WHERE project_id = :project_id AND rollout_id = :rollout_id AND is_open = 1
          AND phase = :was_phase AND step = :was_step AND candidate = :was_candidate""",
        {
            "candidate": rollout.candidate,
            "gated": rollout.gated,
            "phase": rollout.phase,
            "step": rollout.step,
            "is_open": int(rollout.is_open),
            "phase_started_at": to_micros(rollout.phase_started_at),
            "project_id": project_id,
            "rollout_id": rollout.rollout_id,
            "was_phase": was.phase,
            "was_step": was.step,
            "was_candidate": was.candidate,
        },
    )
    return changed == 1


def find_open(reader: Reader, project_id: str, endpoint: str) -> Rollout | None:
    row = reader.fetch_one(
        f"SELECT {_COLUMNS} FROM rollouts"  # noqa: S608  a constant
        " WHERE project_id = :project_id AND endpoint = :endpoint AND is_open = 1",
        {"project_id": project_id, "endpoint": endpoint},
    )
    return _rollout(row) if row else None


def list_rollouts(reader: Reader, project_id: str, endpoint: str, limit: int) -> tuple[Rollout, ...]:
    """Return the newest first."""
    rows = reader.fetch_all(
        f"SELECT {_COLUMNS} FROM rollouts"  # noqa: S608  a constant
        """ WHERE project_id = :project_id AND endpoint = :endpoint
        ORDER BY started_at DESC, rollout_id DESC LIMIT :limit""",
        {"project_id": project_id, "endpoint": endpoint, "limit": limit},
    )
    return tuple(_rollout(row) for row in rows)


def _params(rollout: Rollout) -> dict[str, SqlValue]:
    return {
        "rollout_id": rollout.rollout_id,
        "endpoint": rollout.endpoint,
        "model": rollout.model,
        "origin": rollout.origin,
        "trigger_words": rollout.trigger,
        "champion": rollout.champion,
        "candidate": rollout.candidate,
        "gated": rollout.gated,
        "phase": rollout.phase,
        "step": rollout.step,
        "is_open": int(rollout.is_open),
        "fit_before": to_micros(rollout.fit_before),
        "gate_until": to_micros(rollout.gate_until),
        "started_at": to_micros(rollout.started_at),
        "phase_started_at": to_micros(rollout.phase_started_at),
    }


def _rollout(row: Row) -> Rollout:
    times = ("fit_before", "gate_until", "started_at", "phase_started_at")
    values: dict[str, object] = {**row, "trigger": row["trigger_words"]}
    values.update({name: from_micros(msgspec.convert(row[name], int)) for name in times})
    return msgspec.convert(values, Rollout)
