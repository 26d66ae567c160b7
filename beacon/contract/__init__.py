"""The contract, pure: models, limits, the table of operations, routing, events. Nothing here does I/O."""
