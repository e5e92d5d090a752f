"""The real client of MLflow, in a process of its own and in an environment of its own.

A test of tests/mlflow_compat is an ordinary function of MLflow's user code; it runs inside of that process.
What it asks for by these names, the process hands in:

- `mlflow`: the package, pointed at the server and at an experiment of the test's own.
- `client`: an MlflowClient of that server.
- `experiment_id`: the experiment.
- `api`: a function from method, path, body and headers to status and JSON, for what no client would send.
- `tracking_uri`: the address of the server.

Other arguments come from `parametrize` and must fit into JSON.
"""

import json
import os
import select
import subprocess
from pathlib import Path

HANDED_IN = ("mlflow", "client", "experiment_id", "api", "tracking_uri")

_ROOT = Path(__file__).resolve().parent.parent.parent
_PROGRAM = _ROOT / "tests" / "mlflow_compat" / "client_program.py"
_TIMEOUT_S = 120.0
_SETTINGS = {
    # a client that waits and tries again would hide what the server answers
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def mlflow_python() -> Path:
    """Return the interpreter that has the client: PADDOCK_MLFLOW_PYTHON, or that of `.venv-mlflow`."""
    return Path(os.environ.get("PADDOCK_MLFLOW_PYTHON") or _ROOT / ".venv-mlflow" / "bin" / "python")


class ClientProcess:
    """One process for all tests of a session: importing the client takes seconds."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def run(self, module: Path, name: str, tracking_uri: str, arguments: dict[str, object]) -> str:
        """Run a test function and return the trace of its failure, or an empty string."""
        process = self._process or self._start()
        assert process.stdin is not None
        request = {"module": str(module), "name": name, "uri": tracking_uri, "arguments": arguments}
        process.stdin.write(json.dumps(request) + "\n")
        process.stdin.flush()
        reply = self._read_line(process)
        return str(json.loads(reply)["failure"]) if reply else self._explain_end(process)

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> "subprocess.Popen[str]":
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        with self._log.open("a") as log:
            self._process = subprocess.Popen(
                [str(mlflow_python()), "-P", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=self._log.parent,
                env={**environment, **_SETTINGS},
            )
        return self._process

    def _read_line(self, process: "subprocess.Popen[str]") -> str:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], _TIMEOUT_S)
        return process.stdout.readline() if ready else ""

    def _explain_end(self, process: "subprocess.Popen[str]") -> str:
        state = "gave no answer in time" if process.poll() is None else f"ended with {process.returncode}"
        self.close()
        return f"the client {state}; the end of its log:\n{self._log.read_text()[-4000:]}"
