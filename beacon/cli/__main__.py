"""``python -m beacon.cli``: the same as ``beacon``."""

from __future__ import annotations

import sys

from beacon.cli import main

sys.exit(main())
