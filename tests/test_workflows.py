"""The workflows: pinned, with no more rights than they need, and safe."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".github" / "workflows"
FILES = sorted(FOLDER.glob("*.yml"))
PINNED = re.compile(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
INSTALLS = re.compile(r"\bmake\b|\bpip\b|\.venv|setup-")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_workflow_is_pinned_and_may_only_read_where_it_installs(path):
    text = path.read_text("utf-8")
    uses = re.findall(r"uses:\s*(.+)", text)
    assert uses and all(PINNED.fullmatch(action) for action in uses)
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        steps = job["steps"]
        if not INSTALLS.search(yaml.safe_dump(steps)):
            continue
        assert "write" not in str(job.get("permissions", "")), name
        for step in steps:
            if "checkout" in step.get("uses", ""):
                assert step["with"]["persist-credentials"] is False, name


def test_one_version_of_each_action():
    """So the upload and the download of an artifact fit together."""
    texts = "".join(path.read_text("utf-8") for path in FILES)
    pins = set(re.findall(r"uses:\s*(\S+)@(\S+)", texts))
    assert len(pins) == len(dict(pins))


def step(workflow, job):
    """The shell script of a job's last step."""
    text = (FOLDER / f"{workflow}.yml").read_text("utf-8")
    return yaml.safe_load(text)["jobs"][job]["steps"][-1]["run"]


@pytest.fixture
def repository(tmp_path):
    """A clone of a repository with one day on record; Git, and a shell."""
    here = tmp_path / "here"
    here.mkdir()
    who = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER")
           for part in ("NAME", "EMAIL")}  # fmt: skip

    def run(script, **names):
        return subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=here,
            env=os.environ | who | names,
            capture_output=True,
            text=True,
        )

    def commit(name, text):
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
        done = run(f"git add . && git commit -m {name}")
        assert done.returncode == 0, done.stderr

    assert run(f"git init -b main && git init --bare {tmp_path}/there")
    commit("ledger/2026-11-24/LSTM.csv", "as recorded")
    run(f"git remote add origin {tmp_path}/there && git push -u origin main")
    run.commit, run.here = commit, here
    return run


@pytest.mark.skipif(os.name == "nt", reason="the workflows' shell is bash")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ledger/2026-11-24/LSTM.csv": "as it should have been"}, 1),
        ({"ledger/2026-11-23/LSTM.csv": "made up afterwards"}, 1),
        ({}, 1),  # its folder is moved
        ({"ledger/tickers.txt": "IBM", ".github/workflows/refuse.yml": ""}, 0),
        ({"README.md": "ledger/2026-11-24"}, 0),
    ],
)
def test_a_pull_request_may_not_touch_a_day(repository, change, code):
    """By the workflow's own script; its branch is never checked out."""
    repository("git checkout -b mine")
    for name, text in change.items():
        repository.commit(name, text)
    if not change:
        repository("git mv ledger/2026-11-24 elsewhere && git commit -m moved")
    repository("git push origin mine:refs/pull/7/head && git checkout main")
    done = repository(step("refuse", "refuse"), THEIRS="refs/pull/7/head")
    assert done.returncode == code, done.stderr
    assert ("::error::" in done.stdout) == bool(code)


@pytest.mark.skipif(os.name == "nt", reason="the workflows' shell is bash")
@pytest.mark.parametrize(
    ("day", "pushed"),
    [
        ("2026-11-25", ["2026-11-25/LSTM.csv", "2026-11-25/record.json"]),
        ("2026-11-24", []),  # on record
        ("../.github", []),
        ("", []),
    ],
)
def test_only_a_new_day_is_committed(repository, tmp_path, day, pushed):
    new = tmp_path / "new"
    new.mkdir()
    for name in ("LSTM.csv", "record.json", "evil.sh"):
        (new / name).write_text(name)
    script = step("ledger", "commit")
    done = repository(script, DAY=day, NEW=str(new))
    assert (done.returncode == 0) == bool(pushed), done.stderr
    there = repository("git ls-tree -r --name-only origin/main").stdout
    expected = ["2026-11-24/LSTM.csv", *pushed]
    assert there.split() == [f"ledger/{name}" for name in expected]


@pytest.mark.skipif(os.name == "nt", reason="the workflows' shell is bash")
def test_of_a_page_only_its_own_files_are_committed(repository, tmp_path):
    new = tmp_path / "new"
    (new / "2026-11-24").mkdir(parents=True)
    for name in ("README.md", "scores.csv", "2026-11-24/LSTM.csv", "evil.sh"):
        (new / name).write_text("new")
    for _ in range(2):  # the second time there is nothing to commit
        done = repository(step("ledger", "publish"), NEW=str(new))
        assert done.returncode == 0, done.stderr
    changed = repository("git diff --name-only HEAD~1 origin/main").stdout
    assert changed.split() == ["ledger/README.md", "ledger/scores.csv"]
