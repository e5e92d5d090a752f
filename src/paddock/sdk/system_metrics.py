"""How busy the machine is while a run goes on: CPU, memory, disk and network of Linux, GPUs through NVML.

A measure that is not to be had is left out by itself; the others go on.
"""

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType

from paddock.kernel.clock import monotonic_s

Values = dict[str, float]
Log = Callable[[Mapping[str, float], int], None]

_PROC = Path("/proc")
_MEGABYTE = 1_048_576


class Sampler:
    """Takes samples; what is counted since the system started is told since this was made."""

    def __init__(self, proc: Path = _PROC) -> None:
        self._proc = proc
        self._gpus = find_gpus()
        self._sources = (
            self._measure_processor,
            self._measure_process,
            self._measure_memory,
            self._measure_disk,
            self._measure_network,
        )
        self._before: dict[str, float] = {}
        self._origin: dict[str, float] = {}
        self.sample()

    def sample(self) -> Values:
        """Return what is measured now, by the name of its metric."""
        values: Values = {}
        for measure in self._sources:
            with suppress(OSError, ValueError, IndexError, KeyError):  # no such file here, or another format
                values |= measure()
        for gpu in self._gpus:
            values |= gpu()
        return {f"system/{name}": value for name, value in values.items()}

    def _measure_processor(self) -> Values:
        ticks = [float(each) for each in (self._proc / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        busy_ticks = self._since_last("busy", sum(ticks) - ticks[3] - ticks[4])  # idle, waiting for a disk
        all_ticks = self._since_last("ticks", sum(ticks))
        return {"cpu_utilization_percentage": 100 * busy_ticks / all_ticks} if all_ticks > 0 else {}

    def _measure_process(self) -> Values:
        fields = (self._proc / "self" / "stat").read_text().rpartition(")")[2].split()
        pages = int((self._proc / "self" / "statm").read_text().split()[1])
        used_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        spent_s, passed_s = self._since_last("used", used_s), self._since_last("passed", monotonic_s())
        values = {"process_memory_megabytes": pages * os.sysconf("SC_PAGE_SIZE") / _MEGABYTE}
        return values | ({"process_cpu_percentage": 100 * spent_s / passed_s} if passed_s > 0 else {})

    def _measure_memory(self) -> Values:
        lines = (line.split() for line in (self._proc / "meminfo").read_text().splitlines())
        kilobytes = {fields[0]: int(fields[1]) for fields in lines if len(fields) > 1}
        total, free = kilobytes["MemTotal:"], kilobytes["MemAvailable:"]
        return {
            "system_memory_usage_megabytes": (total - free) / 1024,
            "system_memory_usage_percentage": 100 * (total - free) / total,
        }

    def _measure_disk(self) -> Values:
        usage = shutil.disk_usage(Path.cwd())
        lines = (line.split(":") for line in (self._proc / "self" / "io").read_text().splitlines())
        moved = {name: int(count) for name, count in lines}
        return {
            "disk_usage_percentage": 100 * usage.used / usage.total,
            "disk_available_megabytes": usage.free / _MEGABYTE,
            "process_read_megabytes": self._since_begin("read", moved["read_bytes"]) / _MEGABYTE,
            "process_write_megabytes": self._since_begin("written", moved["write_bytes"]) / _MEGABYTE,
        }

    def _measure_network(self) -> Values:
        lines = (self._proc / "net" / "dev").read_text().splitlines()[2:]
        cards = [
            fields.split() for name, fields in (line.split(":") for line in lines) if name.strip() != "lo"
        ]
        received, sent = (sum(int(fields[place]) for fields in cards) for place in (0, 8))
        return {
            "network_receive_megabytes": self._since_begin("received", received) / _MEGABYTE,
            "network_transmit_megabytes": self._since_begin("sent", sent) / _MEGABYTE,
        }

    def _since_last(self, name: str, count: float) -> float:
        before, self._before[name] = self._before.get(name, count), count
        return count - before

    def _since_begin(self, name: str, count: float) -> float:
        return count - self._origin.setdefault(name, count)


def find_gpus() -> list[Callable[[], Values]]:
    """Return for each NVIDIA GPU what measures it; none without the package `nvidia-ml-py`, or a driver."""
    try:
        nvml = import_module("pynvml")
    except ImportError:
        return []
    try:
        nvml.nvmlInit()
        handles = [nvml.nvmlDeviceGetHandleByIndex(place) for place in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError:
        return []
    return [_gpu(nvml, place, handle) for place, handle in enumerate(handles)]


@contextmanager
def sampled(log: Log, every_s: float) -> Iterator[None]:
    """Log a sample every `every_s` seconds while the block runs, and one at its end; 0: none at all.

    log: is given the values and the number of the sample.
    """
    if not every_s:
        yield
        return
    sampler, is_over = Sampler(), threading.Event()

    def work() -> None:
        count = 0
        while not is_over.wait(every_s):
            log(sampler.sample(), count)
            count += 1
        log(sampler.sample(), count)

    thread = threading.Thread(target=work, name="paddock-sampler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _gpu(nvml: ModuleType, place: int, handle: object) -> Callable[[], Values]:
    def utilization() -> Values:
        return {"utilization_percentage": nvml.nvmlDeviceGetUtilizationRates(handle).gpu}

    def memory() -> Values:
        found = nvml.nvmlDeviceGetMemoryInfo(handle)
        return {
            "memory_usage_megabytes": found.used / _MEGABYTE,
            "memory_usage_percentage": 100 * found.used / found.total,
        }

    def power() -> Values:
        return {"power_usage_watts": nvml.nvmlDeviceGetPowerUsage(handle) / 1000}

    def measure() -> Values:
        values: Values = {}
        for source in (utilization, memory, power):
            with suppress(nvml.NVMLError):  # not every GPU has every measure
                values |= source()
        return {f"gpu_{place}_{name}": float(value) for name, value in values.items()}

    return measure
