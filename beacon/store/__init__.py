"""SQLite: connections with their PRAGMAs, the numbered schema, and rows as the contract's records."""
