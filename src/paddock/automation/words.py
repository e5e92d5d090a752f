"""What the decisions of a rollout say. Pure: what was decided and found, in sentences for anybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from paddock.automation.records import Exposure, Json, Rollout, StageVerdict, Trigger, Words
from paddock.kernel.durations import describe_duration
from paddock.kernel.wording import count_of, end_sentence

if TYPE_CHECKING:  # a person's withdrawal is worded without the statistics behind these
    from paddock.evaluation import GateReport
    from paddock.kernel.refs import ModelVersionRef
    from paddock.registry import AliasChange


def name_version(rollout: Rollout, version: int) -> str:
    """Return the version of the rollout's model as people write it, such as `delay@7`."""
    return f"{rollout.model}@{version}"


def say_retraining(draft: Rollout, trigger: Trigger) -> Words:
    return Words(
        end_sentence(f"Retraining {draft.model}. {trigger.words}"),
        {
            "reason": trigger.reason,
            "fit_before": draft.fit_before.isoformat(),
            "gate_until": draft.gate_until.isoformat(),
        },
    )


def say_submitted(candidate: ModelVersionRef, reason: str) -> Words:
    return Words(f"{candidate} was submitted: {reason}", {"candidate": candidate.version})


def say_refused(rollout: Rollout, why: str, evidence: Mapping[str, Json]) -> Words:
    return Words(end_sentence(f"Kept {name_version(rollout, rollout.champion)}. {why}"), evidence)


def say_unfaithful(rollout: Rollout, cause: str) -> Words:
    """Say that the candidate does not answer its golden requests as recorded."""
    why = (
        f"{name_version(rollout, rollout.candidate)} never got traffic: "
        f"it does not answer its golden requests as recorded ({cause})"
    )
    return say_refused(rollout, why, {"cause": cause, "predictions_answered": 0})


def say_shadow(rollout: Rollout, candidate: int, why: str) -> Words:
    return Words(end_sentence(f"{name_version(rollout, candidate)} answers in shadow, unseen. {why}"))


def say_canary(rollout: Rollout, share: float, verdict: StageVerdict) -> Words:
    name = name_version(rollout, rollout.candidate)
    return Words(f"{name} answers {share:.0%} of the requests: {verdict.words}.", verdict.evidence)


def say_promoted(rollout: Rollout, why: str, evidence: Mapping[str, Json]) -> Words:
    return Words(
        end_sentence(
            f"{name_version(rollout, rollout.candidate)} is champion now, in place of "
            f"{name_version(rollout, rollout.champion)}: {why}"
        ),
        evidence,
    )


def say_taken_back(rollout: Rollout, verdict: StageVerdict, exposure: Exposure) -> Words:
    return Words(
        f"Took {name_version(rollout, rollout.candidate)} back; {name_version(rollout, rollout.champion)} "
        f"answers everything again. The reason: {end_sentence(verdict.words)} It had answered "
        f"{count_of(exposure.answered, 'prediction')} in {describe_duration(exposure.took)}.",
        {
            **verdict.evidence,
            "predictions_answered": exposure.answered,
            "hours": exposure.took // timedelta(hours=1),
        },
    )


def say_overtaken(rollout: Rollout, change: AliasChange, exposure: Exposure) -> Words:
    """Say that somebody moved the champion meanwhile; change: the newest move of the alias."""
    return Words(
        f"Stopped the rollout of {_name_candidate(rollout)}: {name_version(rollout, change.to_version)} "
        f"became champion meanwhile, in place of {name_version(rollout, rollout.champion)} "
        f"({change.principal}: {change.reason}).",
        {"champion": change.to_version, "predictions_answered": exposure.answered},
    )


def say_withdrawn(rollout: Rollout, principal: str, reason: str) -> Words:
    """Say that a person ended the rollout, which is given as it was before."""
    name, champion = _name_candidate(rollout), name_version(rollout, rollout.champion)
    stays = f"{champion} answers everything again" if rollout.is_live else f"{champion} stays champion"
    return Words(
        end_sentence(f"{principal} withdrew {name} in phase {rollout.phase}; {stays}. The reason: {reason}"),
        {"principal": principal, "reason": reason, "phase": rollout.phase, "step": rollout.step},
    )


def describe_report(report: GateReport) -> str:
    """Say that the gates were passed, and what came of the comparison with the champion."""
    compared = (result.words for result in report.results if result.spec is not None and result.spec.versus)
    return ". ".join((report.words, *compared))


def _name_candidate(rollout: Rollout) -> str:
    return name_version(rollout, rollout.candidate) if rollout.candidate else "the candidate in training"
