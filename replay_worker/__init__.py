"""LLM work, taken from ingest's job board; more of them may run side by side."""
