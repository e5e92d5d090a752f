"""Samples of how busy the machine is, read from folders that look like /proc."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from paddock.sdk.system_metrics import Sampler, find_gpus, sampled

STAT = "cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n"
MEMORY = "MemTotal:       1000000 kB\nMemFree: 1 kB\nMemAvailable:    250000 kB\n"
NETWORK = """Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls
    lo: 9999999 1 0 0 0 0 0 0 9999999 1 0 0 0 0 0 0
  eth0:{received} 1 0 0 0 0 0 0 {sent} 1 0 0 0 0 0 0
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "self").mkdir()
    (tmp_path / "net").mkdir()
    (tmp_path / "meminfo").write_text(MEMORY)
    (tmp_path / "self" / "stat").write_text(f"7 (a b) c) S {'0 ' * 10}100 50 {'0 ' * 20}")
    (tmp_path / "self" / "statm").write_text("900 512 1 1 0 1 0\n")
    (tmp_path / "self" / "io").write_text("rchar: 1\nread_bytes: 0\nwrite_bytes: 1048576\n")
    (tmp_path / "stat").write_text(STAT.format(busy=100, idle=100))
    (tmp_path / "net" / "dev").write_text(NETWORK.format(received=0, sent=1_048_576))
    return tmp_path


def measure(proc: Path) -> set[str]:
    """Return which metrics there are between two looks at this folder."""
    sampler = Sampler(proc)
    if (proc / "stat").exists():
        (proc / "stat").write_text((proc / "stat").read_text().replace("cpu  ", "cpu  1"))
    return set(sampler.sample())


def test_a_sample_tells_what_changed(proc: Path):
    """Shares are of the time since the last sample, amounts of that since the first one."""
    sampler = Sampler(proc)
    (proc / "stat").write_text(STAT.format(busy=130, idle=170))
    (proc / "net" / "dev").write_text(NETWORK.format(received=2_097_152, sent=1_048_576))
    (proc / "self" / "io").write_text("rchar: 1\nread_bytes: 5242880\nwrite_bytes: 1048576\n")

    values = sampler.sample()

    assert values["system/cpu_utilization_percentage"] == 30.0
    assert values["system/system_memory_usage_percentage"] == 75.0
    assert values["system/system_memory_usage_megabytes"] == 750_000 / 1024
    assert values["system/network_receive_megabytes"] == 2.0
    assert values["system/network_transmit_megabytes"] == 0.0
    assert values["system/process_read_megabytes"] == 5.0
    assert values["system/process_write_megabytes"] == 0.0
    assert values["system/process_memory_megabytes"] == pytest.approx(2.0)
    assert 0 < values["system/disk_usage_percentage"] < 100


@pytest.mark.parametrize("missing", ["stat", "meminfo", "self/io", "net/dev", "self/statm"])
def test_a_missing_measure_drops_only_itself(proc: Path, missing: str):
    """A machine without one of the files, or with another format of it, is measured by the others."""
    whole = measure(proc)
    (proc / missing).unlink()
    without = measure(proc)
    (proc / missing).write_text("some\nthing\nelse\n")
    otherwise = measure(proc)

    assert without < whole
    assert without == otherwise


def test_a_gpu_is_measured_by_what_it_has(proc: Path, monkeypatch: pytest.MonkeyPatch):
    """Of two GPUs the second one does not tell its power; all else is there."""

    class NVMLError(Exception):
        pass

    def power(handle: int) -> int:
        if handle:
            raise NVMLError("not supported")
        return 71_500

    nvml = ModuleType("pynvml")
    nvml.__dict__.update(
        NVMLError=NVMLError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda place: place,
        nvmlDeviceGetUtilizationRates=lambda _: SimpleNamespace(gpu=40),
        nvmlDeviceGetMemoryInfo=lambda _: SimpleNamespace(used=1_048_576, total=4_194_304),
        nvmlDeviceGetPowerUsage=power,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    values = Sampler(proc).sample()

    assert values["system/gpu_0_power_usage_watts"] == 71.5
    assert "system/gpu_1_power_usage_watts" not in values
    assert values["system/gpu_1_memory_usage_percentage"] == 25.0
    assert values["system/gpu_1_utilization_percentage"] == 40.0


def test_a_machine_without_driver_has_no_gpu(monkeypatch: pytest.MonkeyPatch):
    """The package may be there and the driver not."""

    class NVMLError(Exception):
        pass

    def fail() -> None:
        raise NVMLError("Driver Not Loaded")

    nvml = ModuleType("pynvml")
    nvml.__dict__.update(NVMLError=NVMLError, nvmlInit=fail)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)

    assert find_gpus() == []


def test_samples_are_counted_and_the_last_is_taken_at_the_end():
    """A block shorter than the interval has one sample; without an interval there is none."""
    samples: list[int] = []
    with sampled(lambda values, number: samples.append(number), 3_600):
        pass
    with sampled(lambda values, number: samples.append(99), 0):
        pass

    assert samples == [0]
