"""The browser of the machine, for the tests of the page and for measuring it."""

from __future__ import annotations

import os
import shutil

MISSING = "there is no Chromium (on Debian and Ubuntu: apt-get install chromium)"

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Without a screen, and asking nobody for anything by itself."""


def program() -> str | None:
    """The path of a Chromium or Chrome, None where there is none; BEACON_TEST_BROWSER names another than the first on
    the path."""
    names = (os.environ.get("BEACON_TEST_BROWSER"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if name and (found := shutil.which(name))), None)
