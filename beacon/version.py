"""Beacon's version, in one place; pyproject.toml and /health read it from here."""

VERSION = "0.1.0"
