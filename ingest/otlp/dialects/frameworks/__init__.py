"""One file for each framework that says little in its own words; pure. ingest/otlp/dialects/others.py asks them."""
