"""Points of a run that were measured of logged models, added in the run's own transaction."""

from collections.abc import Sequence

from paddock.kernel.errors import NotFound
from paddock.metadata import Transaction
from paddock.tracking.logged_models import rules, sql
from paddock.tracking.records import ModelPoint
from paddock.tracking.sql.stamps import RunKey, Stamp


def add_model_points(tx: Transaction, run: RunKey, points: Sequence[ModelPoint], stamp: Stamp) -> None:
    """Add what `run` measured of models; NotFound for a model that is not there.

    A point that is there already is that one.
    """
    ids = tuple(dict.fromkeys(each.model_id for each in points))
    numbers = sql.find_numbers(tx, stamp.actor.project_id, ids)
    for model_id in ids:
        if model_id not in numbers:
            raise NotFound(f"Logged model with ID '{model_id[:64]}' not found.", model_id=model_id[:64])
    sql.insert_points(tx, numbers, run, rules.merge_points(points), stamp)
