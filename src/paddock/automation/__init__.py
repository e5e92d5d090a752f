"""The loop: trigger, retrain, verify, gate, shadow, canary, then promote or go back.

- A rollout is a row that moves by compare-and-set; at most one is open for each endpoint.
- Every move that people should know of appends a decision, with its evidence in words, to the event
  ledger in the same transaction.
- No room calls this one: it reads what they stored.
- Killed anywhere, the next `tick` goes on where the last one stopped.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paddock.automation.declaration import Declaration, ModelSpec, PipelineSpec, parse_declaration
    from paddock.automation.labelled import LabelledRows
    from paddock.automation.live import LiveRows
    from paddock.automation.loop import Loop
    from paddock.automation.plan import LoopPlan, Rooms
    from paddock.automation.ports import Traffic, TrafficControl, Trainer, TrainingRequest
    from paddock.automation.progress import get_progress
    from paddock.automation.records import Decision, Phase, Progress, Rollout
    from paddock.automation.rehearsal import Rehearsal, rehearse
    from paddock.automation.rehearsal_folders import sweep_rehearsals
    from paddock.automation.service import Automation
    from paddock.automation.specs import RetrainSpec
    from paddock.automation.traffic import FolderTraffic, GatewayTraffic, TrafficStore
    from paddock.automation.training import BackgroundTrainer, PipelineTrainer
    from paddock.automation.watch import Watch, profile_stretches

# loaded at first use: pages and the command line need the records, not the statistics
_HOME_OF = {
    "Automation": "service",
    "BackgroundTrainer": "training",
    "Decision": "records",
    "Declaration": "declaration",
    "LabelledRows": "labelled",
    "LiveRows": "live",
    "Loop": "loop",
    "LoopPlan": "plan",
    "ModelSpec": "declaration",
    "Phase": "records",
    "PipelineSpec": "declaration",
    "RetrainSpec": "specs",
    "Rollout": "records",
    "Progress": "records",
    "Rehearsal": "rehearsal",
    "Rooms": "plan",
    "Traffic": "ports",
    "TrafficControl": "ports",
    "Trainer": "ports",
    "PipelineTrainer": "training",
    "TrainingRequest": "ports",
    "FolderTraffic": "traffic",
    "GatewayTraffic": "traffic",
    "TrafficStore": "traffic",
    "Watch": "watch",
    "get_progress": "progress",
    "parse_declaration": "declaration",
    "rehearse": "rehearsal",
    "profile_stretches": "watch",
    "sweep_rehearsals": "rehearsal_folders",
}

__all__ = [
    "Automation",
    "BackgroundTrainer",
    "Decision",
    "Declaration",
    "FolderTraffic",
    "GatewayTraffic",
    "LabelledRows",
    "LiveRows",
    "Loop",
    "LoopPlan",
    "ModelSpec",
    "Phase",
    "PipelineSpec",
    "PipelineTrainer",
    "Progress",
    "Rehearsal",
    "RetrainSpec",
    "Rollout",
    "Rooms",
    "Traffic",
    "TrafficControl",
    "TrafficStore",
    "Trainer",
    "TrainingRequest",
    "Watch",
    "get_progress",
    "parse_declaration",
    "profile_stretches",
    "rehearse",
    "sweep_rehearsals",
]


def __getattr__(name: str) -> object:
    if name in _HOME_OF:
        return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
