"""What a loop is made of: what was declared for its endpoint, and the services it acts through."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from paddock.automation.service import Automation
from paddock.automation.specs import RetrainSpec
from paddock.evaluation import Evaluation, GateSpec
from paddock.kernel.refs import parse_ref
from paddock.models import WorkerPool
from paddock.monitoring import Monitoring
from paddock.registry import Registry
from paddock.serving import EndpointSpec, GatewayOptions


@dataclass(frozen=True, slots=True)
class LoopPlan:
    """What is declared for one endpoint.

    retrain None: candidates are only submitted by people. opened_at: event time of its first request.
    label_delay: after it every row that will ever have a label has one. gateway: how the endpoint's
    gateway is run; a candidate's latency is measured on one of the same kind, beside its state folder.
    """

    endpoint: str
    spec: EndpointSpec
    gates: tuple[GateSpec, ...]
    opened_at: datetime
    label_delay: timedelta
    retrain: RetrainSpec | None = None
    seed: int = 0
    gateway: GatewayOptions | None = None

    @property
    def model(self) -> str:
        return parse_ref("model", self.spec.model)[0]


@dataclass(frozen=True, slots=True)
class Rooms:
    """The services the loop acts through."""

    automation: Automation
    evaluation: Evaluation
    monitoring: Monitoring
    registry: Registry
    workers: WorkerPool
