"""Starting, watching and stopping gateway processes."""

import http.client
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

import msgspec

from paddock.kernel.clock import monotonic_s
from paddock.kernel.errors import PaddockError, StoreInUse, Unavailable, VerificationFailed
from paddock.serving.gateway.options import GatewayOptions, format_arguments
from paddock.serving.state import GatewayAddress, GatewayState

__all__ = ["GatewayOptions", "GatewayProcess", "GatewaySupervisor", "start_gateway"]

_LOG = logging.getLogger(__name__)
_POLL_S = 0.02
_STOP_S = 29.0
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S, _STEADY_AFTER_S = 0.2, 10.0, 30.0
_IN_USE_CODE = StoreInUse.exit_code


class GatewayProcess:
    """A running gateway. It ends with this process: the pipe it holds reports our death."""

    def __init__(self, process: "subprocess.Popen[bytes]", lifeline: int, options: GatewayOptions) -> None:
        self.options = options
        self._process = process
        self._lifeline = lifeline
        self._url = ""

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:8322`; known once it listens."""
        return self._url or self.wait_listening()

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def wait_listening(self, timeout_s: float = 10.0) -> str:
        """Return the url as soon as the gateway has its port."""
        state = GatewayState(self.options.state)
        deadline = monotonic_s() + timeout_s
        while monotonic_s() < deadline:
            self._raise_if_ended()
            if state.address_path.exists():
                address = msgspec.json.decode(state.address_path.read_bytes(), type=GatewayAddress)
                if address.pid == self.pid:
                    self._url = address.url
                    return self._url
            time.sleep(_POLL_S)
        raise Unavailable(
            f"the gateway did not listen within {timeout_s:g} s", hint=f"see {state.report_path}"
        )

    def wait_ready(self, timeout_s: float = 60.0, *, generation: int = 0) -> None:
        """Return when the gateway answers predictions with that generation or a later one; 0 means any.

        Raises VerificationFailed, in the gateway's own words, when it has refused that generation: a
        version cannot be loaded or answers differently than recorded. Raises Unavailable when it ends or
        is not ready in time.
        """
        deadline = monotonic_s() + timeout_s
        self.wait_listening(timeout_s)
        status = _Status()
        while monotonic_s() < deadline:
            self._raise_if_ended()
            status = _ask_status(self._url)
            if status.is_ready and status.generation >= generation:
                return
            if generation and status.refused_generation >= generation:
                raise VerificationFailed(
                    status.refusal, hint=f"GET {self._url}/status", generation=status.refused_generation
                )
            time.sleep(_POLL_S)
        reason = f": {status.refusal}" if status.refusal else ""
        raise Unavailable(
            f"the gateway is not ready within {timeout_s:g} s{reason}", hint=f"GET {self._url}/status"
        )

    def stop(self) -> None:
        """Let requests finish, then end it; kills it after 29 s. Safe to call again."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.kill()
        self._hang_up()

    def kill(self) -> None:
        """End it at once, without draining."""
        self._process.kill()
        self._process.wait()
        self._hang_up()

    def __enter__(self) -> "GatewayProcess":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _hang_up(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _raise_if_ended(self) -> None:
        code = self._process.poll()
        if code is None:
            return
        self._hang_up()
        report = GatewayState(self.options.state).report_path
        words = _last_error(report)
        kind: type[PaddockError] = StoreInUse if code == _IN_USE_CODE else Unavailable
        raise kind(words or f"the gateway ended with status {code}", hint=f"see {report}", exit_code=code)


def start_gateway(options: GatewayOptions) -> GatewayProcess:
    """Start a gateway on a state folder; return at once, before it listens."""
    state = GatewayState(options.state)
    state.folder.mkdir(parents=True, exist_ok=True)
    hears, lifeline = os.pipe()
    given = msgspec.structs.replace(options, parent_fd=hears, state=options.state.resolve())
    source = Path(__file__).resolve().parents[2]  # where the package itself was found
    try:
        with state.report_path.open("ab") as report:
            process = subprocess.Popen(  # noqa: S603  our own interpreter and arguments
                [sys.executable, "-P", "-m", "paddock.serving.gateway", *format_arguments(given)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=report,
                pass_fds=(hears,),
                env={"PYTHONPATH": str(source), "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1"},
                start_new_session=True,  # Ctrl-C is for the parent, which ends its gateways in order
            )
    except OSError:
        os.close(lifeline)
        raise
    finally:
        os.close(hears)
    return GatewayProcess(process, lifeline, options)


class GatewaySupervisor:
    """Keeps one gateway running: started again after a crash, waiting longer each time it does not last.

    The port it got first is kept over restarts.
    """

    def __init__(self, options: GatewayOptions) -> None:
        self.restarts = 0
        self._gateway = start_gateway(options)
        self._is_stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="gateway-supervisor", daemon=True)
        self._thread.start()

    @property
    def gateway(self) -> GatewayProcess:
        """The process that runs now."""
        with self._lock:
            return self._gateway

    def stop(self) -> None:
        """Stop the gateway and do not start it again."""
        self._is_stopping.set()
        self._thread.join()
        self.gateway.stop()

    def _watch(self) -> None:
        backoff_s, started_at = _FIRST_BACKOFF_S, monotonic_s()
        while not self._is_stopping.wait(_POLL_S):
            gateway = self.gateway
            if gateway.exit_code is None:
                continue
            if monotonic_s() - started_at > _STEADY_AFTER_S:
                backoff_s = _FIRST_BACKOFF_S
            _LOG.error("gateway.died", extra=_describe_end(gateway, backoff_s))
            gateway.stop()
            if self._is_stopping.wait(backoff_s):
                return
            backoff_s = min(_LONGEST_BACKOFF_S, 2 * backoff_s)
            started_at = monotonic_s()
            self._start_again(gateway)

    def _start_again(self, gateway: GatewayProcess) -> None:
        options = gateway.options
        port = _port_of(options.state, gateway.pid)
        if not options.port and port:
            options = msgspec.structs.replace(options, port=port)
        with self._lock:
            self._gateway = start_gateway(options)
        self.restarts += 1
        fields = {"endpoint": options.state.name, "pid": self._gateway.pid}
        _LOG.warning("gateway.restarted", extra=fields)


def _describe_end(gateway: GatewayProcess, restart_in_s: float) -> dict[str, str | int | float | None]:
    """Return the fields of the event that tells of a gateway's end; its folder has the endpoint's name."""
    code = gateway.exit_code or 0
    if code < 0:
        reason = f"killed by {_name_signal(-code)}"
    else:
        reason = _last_error(GatewayState(gateway.options.state).report_path)
    return {
        "endpoint": gateway.options.state.name,
        "pid": gateway.pid,
        "exit_code": gateway.exit_code,
        "reason": reason,
        "restart_in_s": restart_in_s,
    }


def _name_signal(number: int) -> str:
    """Return `SIGKILL` for 9; a real-time signal has no name of its own.

    >>> _name_signal(9), _name_signal(40)
    ('SIGKILL', 'signal 40')
    """
    names = {int(each): each.name for each in signal.Signals}
    return names.get(number, f"signal {number}")


class _Status(msgspec.Struct):
    """What is read of a gateway's /status."""

    generation: int = 0
    is_ready: bool = False
    refused_generation: int = 0
    refusal: str = ""


def _ask_status(url: str) -> _Status:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5.0)
    try:
        connection.request("GET", "/status")
        return msgspec.json.decode(connection.getresponse().read(), type=_Status)
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        return _Status(refusal=str(error))
    finally:
        connection.close()


def _port_of(state: Path, pid: int) -> int:
    path = GatewayState(state).address_path
    if not path.exists():
        return 0
    address = msgspec.json.decode(path.read_bytes(), type=GatewayAddress)
    return int(address.url.rpartition(":")[2]) if address.pid == pid else 0


def _last_error(report: Path) -> str:
    """Return the last `error: ...` line of a report, without the prefix."""
    if not report.exists():
        return ""
    lines = report.read_text(errors="replace").splitlines()
    errors = [line.removeprefix("error: ") for line in lines[-20:] if line.startswith("error: ")]
    return errors[-1] if errors else ""
