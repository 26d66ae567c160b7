"""The search index: data derived from traces.db in a file of its own, kept by one process, read by query's searches."""
