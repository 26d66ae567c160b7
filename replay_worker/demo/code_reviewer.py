"""An agent that reviews a change: its tests pass, and it is wrong all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from replay_worker.demo.scenario import Scenario
from replay_worker.demo.tools import Outcome, Tool, World, command, file_read, text

BRANCH = "retry-backoff"

FILES = {
    "courier/retry.py": '''"""Try again what may work the next time."""

import time


def with_retries(send, retries=3, base_s=0.5, sleep=time.sleep):
    """Call `send`; after a ConnectionError try again, `retries` times, and wait longer each time."""
    for attempt in range(1, retries):
        try:
            return send()
        except ConnectionError:
            sleep(base_s * 2 ** attempt)
    raise ConnectionError(f"gave up after {retries} retries")
''',
    "tests/test_retry.py": """from courier.retry import with_retries


def test_the_first_try_is_enough():
    assert with_retries(lambda: "sent") == "sent"


def test_the_second_try_is_enough():
    answers = iter([ConnectionError(), "sent"])

    def send():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert with_retries(send, sleep=lambda seconds: None) == "sent"
""",
    "README.md": "# courier\n\nSends parcels' tracking events to customers.\n",
}

STAT = """ courier/retry.py    | 13 +++++++++++++
 tests/test_retry.py | 17 +++++++++++++++++
 2 files changed, 30 insertions(+)
"""


def list_changes(given: Mapping[str, Any], _: World) -> Outcome:
    branch = given["branch"]
    line = f"git diff --stat main...{branch}"
    if branch != BRANCH:
        refused = command(line, "", returncode=128, stderr=f"fatal: ambiguous argument 'main...{branch[:60]}'")
        return Outcome(error=refused.error, deeds=(refused,))
    return Outcome(output={"changed": STAT}, deeds=(command(line, STAT, seconds=0.2),), seconds=0.05)


def read_file(given: Mapping[str, Any], _: World) -> Outcome:
    content = FILES.get(given["path"])
    if content is None:
        return Outcome(error=f"FileNotFoundError: {given['path'][:120]}; there are {', '.join(FILES)}.")
    return Outcome(output={"path": given["path"], "content": content}, deeds=(file_read(given["path"], content),))


def run_tests(given: Mapping[str, Any], _: World) -> Outcome:
    path = given["path"]
    line = f"python -m pytest -q {path}"
    if path not in ("tests", "tests/", "tests/test_retry.py"):
        missing = command(line, "", returncode=4, stderr=f"ERROR: file or directory not found: {path[:120]}")
        return Outcome(error=missing.error, deeds=(missing,))
    stdout = "..                                                                       [100%]\n2 passed in 0.03s\n"
    return Outcome(output={"returncode": 0, "stdout": stdout}, deeds=(command(line, stdout, seconds=1.4),))


SCENARIO = Scenario(
    instructions="You review changes to a Python project. Look at what changed, read it closely, run its tests, and "
    "write a short review: whether it can be merged, and each defect with its line and how to mend it. Tests that pass "
    "prove nothing about what they do not try. You have five turns.",
    tools=(
        Tool(
            name="list_changes",
            description="The files a branch changes, with the number of lines.",
            parameters={"branch": text("Name of the branch")},
            run=list_changes,
        ),
        Tool(
            name="read_file",
            description="Read a file of the branch.",
            parameters={"path": text("Path inside the project")},
            run=read_file,
        ),
        Tool(
            name="run_tests",
            description="Run the tests in a file or folder.",
            parameters={"path": text("For example tests/test_retry.py")},
            run=run_tests,
        ),
    ),
)
