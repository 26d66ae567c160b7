"""A virtual environment for each client, made with uv from the locked requirements beside this file.

They lie under build/clients, named after what is in them, so that a second run installs nothing. A client that cannot
be installed is a failure: nothing here skips.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.processes import REPOSITORY

REQUIREMENTS = Path(__file__).parent / "requirements"
BUILT = REPOSITORY / "build" / "clients"

UV = "uv==0.13.9"

INSTALL_S = 300.0


def python_of(name: str) -> Path:
    """The interpreter of the environment that has what requirements/`name`.txt lists."""
    lock = (REQUIREMENTS / f"{name}.txt").read_bytes()
    folder = _folder(name, lock)
    python = folder / "bin" / "python"
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        uv = _uv()
        _call(name, str(uv), "venv", "--quiet", "--python", sys.executable, str(folder))
        _call(name, str(uv), "pip", "install", "--quiet", "--python", str(python), "-r", f"{REQUIREMENTS}/{name}.txt")
        (folder / "whole").touch()
    return python


def _uv() -> Path:
    folder = _folder("uv", UV.encode())
    if not (folder / "whole").exists():
        shutil.rmtree(folder, ignore_errors=True)
        _call("uv", sys.executable, "-m", "venv", str(folder))
        pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _call("uv", *pip, UV)
        (folder / "whole").touch()
    return folder / "bin" / "uv"


def _folder(name: str, content: bytes) -> Path:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    digest = hashlib.sha256(b"\0".join([UV.encode(), version.encode(), content])).hexdigest()
    return BUILT / f"{name}-{digest[:12]}"


def _call(name: str, *command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{name} cannot be installed: {' '.join(command)}\n{done.stdout}\n{done.stderr}"
