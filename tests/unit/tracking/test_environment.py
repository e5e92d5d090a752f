"""The captured environment: git as it stands, packages, and nothing secret."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from paddock.tracking import capture_environment, environment, installed_packages


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit of one file."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "fit.py").write_text("DEPTH = 6\n")
    (folder / ".gitignore").write_text("*.log\n")
    _git(folder, "init", "--quiet")
    _git(folder, "add", ".")
    _git(folder, "commit", "--quiet", "--message", "first")
    return folder


def _git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout.strip()


def test_clean_tree_is_its_commit(repository: Path) -> None:
    """A tree without changes is told by its commit alone."""
    snapshot = capture_environment(repository)

    assert snapshot.git_commit == _git(repository, "rev-parse", "HEAD")
    assert (snapshot.git_dirty, snapshot.git_diff, snapshot.git_untracked) == (False, "", ())
    assert snapshot.git_note == ""


def test_dirty_tree_keeps_diff_and_names_of_new_files(repository: Path) -> None:
    """Uncommitted changes are kept, staged or not; of unknown files the names, of ignored ones nothing."""
    (repository / "fit.py").write_text("DEPTH = 7\n")
    (repository / "staged.py").write_text("X = 1\n")
    _git(repository, "add", "staged.py")
    (repository / "deep").mkdir()
    (repository / "deep" / "secrets.env").write_text("KEY=hunter2\n")
    (repository / "train.log").write_text("ignored\n")

    snapshot = capture_environment(repository / "deep")  # a folder inside tells of the whole tree

    assert snapshot.git_dirty
    assert "-DEPTH = 6\n+DEPTH = 7" in snapshot.git_diff
    assert "+X = 1" in snapshot.git_diff
    assert snapshot.git_untracked == ("deep/secrets.env",)
    assert "hunter2" not in msgspec.json.encode(snapshot).decode()


def test_large_diff_is_cut_and_says_so(repository: Path) -> None:
    """Diff and names together take at most 1 MiB."""
    (repository / "fit.py").write_text("x = 'y' * 80  # a line\n" * 200_000)

    snapshot = capture_environment(repository)

    assert snapshot.git_truncated
    assert len(snapshot.git_diff.encode()) == environment.MAX_DIFF_BYTES


def test_no_repository_is_a_fact(tmp_path: Path) -> None:
    """A folder outside git is captured with a note."""
    snapshot = capture_environment(tmp_path)

    assert (snapshot.git_commit, snapshot.git_dirty) == ("", False)
    assert snapshot.git_note == "not in a git repository"


def test_repository_without_commit_is_a_fact(tmp_path: Path) -> None:
    """A fresh repository has no commit, and the note says so."""
    _git(tmp_path, "init", "--quiet")

    assert capture_environment(tmp_path).git_note == "the repository has no commit yet"


def test_absent_git_is_a_fact(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the git program the capture works and says why there is no commit."""
    monkeypatch.setenv("PATH", "")

    assert capture_environment(repository).git_note == "git is not installed"


def test_git_that_hangs_is_given_up(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A git that does not answer is stopped after the time limit, and that is a fact, too."""
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text(f"#!{sys.executable}\nimport signal\nsignal.pause()\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", str(slow.parent))
    monkeypatch.setattr(environment, "GIT_TIMEOUT_S", 0.2)

    assert capture_environment(repository).git_note == "git did not answer within 0.2 s"


def test_git_variables_of_a_hook_do_not_lead_away(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIT_DIR, set while a hook runs, does not make the capture look at another repository."""
    commit = capture_environment(repository).git_commit
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))

    assert capture_environment(repository).git_commit == commit


def test_environment_variables_and_host_are_not_captured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No value of an environment variable is in a snapshot; a secret argument is not, either."""
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")

    snapshot = capture_environment(tmp_path, arguments=["/home/ann/fit.py", "--token", "hunter3"])

    text = msgspec.json.encode(snapshot).decode()
    assert "hunter" not in text
    assert snapshot.argv == ("fit.py", "--token", "***")


def test_machine_and_packages_are_captured(tmp_path: Path) -> None:
    """Packages are `name==version`, sorted, and the machine is described."""
    snapshot = capture_environment(tmp_path, seeds={"numpy": 7})

    assert f"msgspec=={msgspec.__version__}" in snapshot.packages
    assert list(snapshot.packages) == sorted(snapshot.packages, key=lambda text: text.partition("==")[0])
    assert installed_packages() is snapshot.packages  # once per process
    assert snapshot.python == sys.version.split()[0]
    assert snapshot.cpu_count > 0
    assert snapshot.memory_bytes > 0
    assert snapshot.seeds == {"numpy": 7}
