"""What a gateway consists of."""

from collections.abc import Callable
from dataclasses import dataclass

from paddock.prediction_log import LabelLog, PredictionLog
from paddock.serving.gateway.live import Served
from paddock.serving.gateway.metrics import GatewayMetrics
from paddock.serving.gateway.options import GatewayOptions
from paddock.serving.gateway.scoring import Scorer
from paddock.serving.gateway.watcher import ConfigWatcher


@dataclass(frozen=True, slots=True)
class GatewayParts:
    """What the routes act on. now: microseconds."""

    served: Served
    watcher: ConfigWatcher
    scorer: Scorer
    log: PredictionLog
    labels: LabelLog
    metrics: GatewayMetrics
    options: GatewayOptions
    now: Callable[[], int]
