"""The writer: owns traces.db, acknowledges only what is committed, publishes what changed."""
