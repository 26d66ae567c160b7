"""Archives taken in: traces as JSON Lines, staged in small transactions and made visible in one
(docs/adr/0013-archives.md)."""
