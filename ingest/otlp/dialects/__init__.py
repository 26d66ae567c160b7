"""One file for each way to say what an LLM call was; pure."""
