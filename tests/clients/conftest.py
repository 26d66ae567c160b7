"""The stacks of tests/system, for these tests too."""

from tests.system.conftest import make_stack, shared, stack

__all__ = ["make_stack", "shared", "stack"]
