"""`python -m ingest.jobs.known_models`: the models that are known without asking any server, as JSON on stdout."""

from __future__ import annotations

import os
import sys

import msgspec

from beacon import keys
from beacon.models import list_models
from beacon.resolved import load_settings


def main() -> None:
    settings = load_settings()
    models = list_models(settings.home, keys.endpoints(settings.home, os.environ), {})
    sys.stdout.buffer.write(msgspec.json.encode(models))


if __name__ == "__main__":
    main()
