"""Real OpenTelemetry clients, each in an environment of its own, against a fake provider and a whole Beacon."""
