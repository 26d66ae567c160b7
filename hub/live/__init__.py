"""The live stream: what ingest publishes, checked for gaps, healed, and handed to websocket clients."""
