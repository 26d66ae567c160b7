"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is no fault of the code: what a test must hold, it holds at any speed (a collection of garbage in the
# middle of the first example took 1.5 s, and failed a test that has nothing to do with time)
settings.register_profile("beacon", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("beacon")
