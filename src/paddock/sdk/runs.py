"""Starting a run, and ending it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from paddock.kernel.clock import SystemClock
from paddock.kernel.digest import digest_bytes
from paddock.kernel.errors import PaddockError, Unavailable
from paddock.kernel.ids import RunId, new_id
from paddock.sdk.active import ActiveRun, Param, active_run, as_text, current_run
from paddock.sdk.ambient import RunPlace, run_place, unwatched_store
from paddock.sdk.course import Course
from paddock.sdk.ports import Destination, RunRecord
from paddock.sdk.spool import Head, warn_of
from paddock.sdk.system_metrics import sampled
from paddock.tracking import (
    EnvironmentSnapshot,
    capture_environment,
    check_experiment_name,
    check_params,
    check_run_name,
    check_tags,
    default_run_name,
)
from paddock.wire import structs

_MAX_ARGUMENT = 65_536
_SAMPLE_S = 10.0
_CLOCK = SystemClock()


class _Started(NamedTuple):
    """A run that has begun. unsent: what the store is to be told of it; None when it has the run."""

    record: RunRecord
    now: Callable[[], datetime]
    unsent: structs.StartRun | None = None


@contextmanager
def run(
    experiment: str,
    *,
    name: str = "",
    params: Mapping[str, Param] | None = None,
    tags: Mapping[str, str] | None = None,
    seeds: Mapping[str, int] | None = None,
    key: str = "",
    system_metrics: bool | None = None,
) -> Iterator[ActiveRun]:
    """Start a run of `experiment`; it is finished when the block ends, or failed when it raises.

    After Ctrl-C it is `killed`. A process that is killed cannot say so: its run stays `running`.
    The git commit with uncommitted changes, installed packages, Python, platform and `seeds` are
    recorded with it. A run inside the block of another one becomes its child; a new thread is in
    no block. key: an idempotency key; the same call with it goes on with the same run. system_metrics: sample
    CPU, memory, disk, network and GPU, every 10 seconds or as often as `system_metrics_s` says; None leaves
    it to that setting.

    The run goes on when the store cannot be reached, from its first line: what is logged waits on this
    machine, and is delivered when the store is back, by the next run, or by `paddock sync`. The end of the
    block waits for the store up to `flush_timeout_s`, then warns of what waits still, and raises what the
    store has refused.

    Example:
        with pk.run("delay", params={"depth": 6}) as run:
            run.log({"auc": 0.71}, step=1)
    """
    place = run_place()
    outer = active_run()
    snapshot = capture_environment(Path.cwd(), seeds=seeds)
    request = structs.StartRun(
        experiment=experiment,
        name=name,
        params=as_text(params or {}),
        tags=as_text(tags or {}),
        parent_id=outer.run_id if outer else "",
        run_id=_id_for_key(place.destination, key) if key else new_id(),
        environment=_describe_environment(snapshot),
    )
    is_alone = outer is not None and not outer.is_in_store
    started = _start_alone(request, _CLOCK.now) if is_alone else _start(request, key)
    course = Course(place, _head_of(place, started), started.now)
    active = ActiveRun(started.record, course, git_commit=snapshot.git_commit)
    token = current_run.set(active)
    try:
        with sampled(active.log_system, _sample_s(place, system_metrics)):
            yield active
    except BaseException as error:
        _end_after(course, error)
        raise
    finally:
        current_run.reset(token)
    _end(course, "finished")


def _start(request: structs.StartRun, key: str) -> _Started:
    """Start the run in the store, or where that cannot be reached, here alone."""
    now, moment = _CLOCK.now, None
    try:
        store = unwatched_store()
        now, moment = store.now, store.now()
        # a call that is repeated under its key is the same call, whenever it is made
        sent = msgspec.structs.replace(request, started_at=None if key else moment)
        return _Started(store.deliveries.start(sent, key=key or _start_key(request)), now)
    except Unavailable as error:
        warn_of(
            f"run {request.run_id} begins without its store: {error.message}; what is logged waits on this"
            " machine and is delivered when the store is back"
        )
    return _start_alone(msgspec.structs.replace(request, started_at=moment), now)


def _start_alone(request: structs.StartRun, now: Callable[[], datetime]) -> _Started:
    """Start a run that the store is told of later; what it would certainly refuse is raised now."""
    run_id = RunId(request.run_id)
    check_experiment_name(request.experiment)
    name = check_run_name(request.name) if request.name else default_run_name(request.experiment, run_id)
    check_params(request.params)
    check_tags(request.tags)
    record = RunRecord(run_id, request.experiment, name, request.parent_id, request.params)
    return _Started(record, now, msgspec.structs.replace(request, started_at=request.started_at or now()))


def _head_of(place: RunPlace, started: _Started) -> Head:
    unsent = started.unsent
    return Head(
        run_id=started.record.run_id,
        destination=place.destination,
        created_at=_CLOCK.now(),
        start=unsent,
        start_key=_start_key(unsent) if unsent else "",
    )


def _start_key(request: structs.StartRun) -> str:
    return f"{request.run_id}-start"


def _id_for_key(destination: Destination, key: str) -> str:
    """Return the id of the run that is started under `key`: the same again, also without the store."""
    return digest_bytes(msgspec.json.encode((destination.project, destination.principal, key)))[:32]


def _sample_s(place: RunPlace, wanted: bool | None) -> float:
    if wanted is False:
        return 0.0
    return place.settings.real("system_metrics_s") or (_SAMPLE_S if wanted else 0.0)


def _end(course: Course, status: structs.EndStatus) -> None:
    waiting = course.end(status)
    if waiting:
        warn_of(f"{waiting}; `paddock sync` delivers what waits")
    course.raise_refusals()


def _end_after(course: Course, error: BaseException) -> None:
    """End a run whose block raised; what comes of that must not hide what the block raised."""
    if isinstance(error, SystemExit) and error.code in (None, 0):
        _end(course, "finished")
        return
    waiting = course.end("killed" if isinstance(error, KeyboardInterrupt) else "failed")
    if waiting:
        error.add_note(f"{waiting}; `paddock sync` delivers what waits")
    try:
        course.raise_refusals()
    except PaddockError as second:
        error.add_note(f"the store refused what was logged: {second.message}")


def _describe_environment(found: EnvironmentSnapshot) -> structs.Environment:
    fields = {name: getattr(found, name) for name in structs.Environment.__struct_fields__}
    return structs.Environment(**fields | {"argv": tuple(each[:_MAX_ARGUMENT] for each in found.argv)})
