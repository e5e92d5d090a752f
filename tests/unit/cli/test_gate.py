"""`paddock models gate` on a model that was logged from Python."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression

import paddock as pk
from paddock.cli import main
from paddock.kernel.errors import InvalidInput

GATES = '[model.delay]\ngates = [{{ metric = "roc_auc", at_least = {bound} }}]\n'
HELD = ("models", "gate", "delay@1", "--rows", "flights@2", "--label", "late")


def flights(seed: int) -> pa.Table:
    wind = np.random.default_rng(seed).normal(size=300)
    return pa.table({"wind": wind, "late": (wind > 0.0).astype(float)})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with model `delay@1`, made from `flights@1`, and unseen rows `flights@2`."""
    monkeypatch.chdir(tmp_path)
    for name in ("PADDOCK_STORE", "PADDOCK_URI", "PADDOCK_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    for seed in (1, 2):
        pk.add_dataset("flights", flights(seed))
    with pk.run("delay") as run:
        rows = pk.dataset("flights@1").to_arrow()
        sample = rows.select(["wind"])
        model = LogisticRegression().fit(sample["wind"].to_numpy().reshape(-1, 1), rows["late"].to_numpy())
        run.log_model(model, name="delay", sample=sample.slice(0, 20))
    pk.disconnect()
    (tmp_path / "paddock.toml").write_text(GATES.format(bound=0.8))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_refusal_names_the_command_that_ends_it(capsys):
    """Promotion is refused with the gate's command as hint; after it, the version becomes champion."""
    refused = run(capsys, "models", "promote", "delay@1")
    held = run(capsys, *HELD)
    promoted = run(capsys, "models", "promote", "delay@1")

    assert refused[0] == 4
    assert "hint: paddock models gate delay@1 --rows DATASET --label COLUMN" in refused[2]
    assert held[0] == 0
    assert held[1].splitlines()[1].startswith("passed  AUC at least 0.8")
    assert held[1].endswith("delay@1 passed: 1 of 1 gates passed\n")
    assert promoted[:2] == (0, "delay@champion: - -> 1\n")


def test_promotion_names_its_version(capsys):
    """The name of a model alone promotes nothing, even with one version; the hint is the command."""
    run(capsys, *HELD)

    code, _, err = run(capsys, "models", "promote", "delay")

    assert code == 2
    assert "error: `delay` names no version of the model; there is only 1" in err
    assert "hint: paddock models promote delay@1\n" in err
    assert run(capsys, "models", "promote", "delay@1")[0] == 0


def test_failed_gate_ends_with_exit_code_1(capsys, folder):
    """A script can tell by the exit code, and `--json` shows the report either way."""
    (folder / "paddock.toml").write_text(GATES.format(bound=1.0).replace("roc_auc", "accuracy"))

    code, out, _ = run(capsys, *HELD)
    json_code, shown, _ = run(capsys, *HELD, "--json")

    assert (code, json_code) == (1, 1)
    assert "delay@1 did not pass: " in out
    report = json.loads(shown)
    assert (report["passed"], report["candidate_version"], report["rows"]) == (False, 1, 300)
    assert [result["state"] for result in report["results"]] == ["failed"]


def test_without_gates_the_error_shows_how_one_is_declared(capsys, folder):
    """Nothing is judged by gates that nobody chose."""
    (folder / "paddock.toml").unlink()

    code, _, err = run(capsys, *HELD)

    assert code == 2
    assert "no gates are declared for model `delay`" in err
    assert 'hint: [model.delay] gates = [{ metric = "roc_auc", at_least = 0.65 }]' in err


def test_rows_of_the_training_are_refused(capsys):
    """The error names the dataset that the model has seen."""
    code, _, err = run(capsys, *HELD[:4], "flights@1", *HELD[5:])

    assert code == 2
    assert "delay@1 was made from `flights@1`; a gate needs rows that the model has not seen" in err


def test_python_holds_the_same_gate():
    """`pk.gate` reads the same paddock.toml, and `pk.promote` accepts its report."""
    report = pk.gate("delay@1", rows="flights@2", label="late")
    moved = pk.promote("delay@1")
    with pytest.raises(InvalidInput, match="was made from `flights@1`"):
        pk.gate("delay", rows="flights@1", label="late")
    pk.disconnect()

    assert (report.passed, report.candidate_version) == (True, 1)
    assert [str(each.name) for each in report.datasets] == ["flights"]
    assert moved.to_version == 1
