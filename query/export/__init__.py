"""Exports: one trace, or several, in a form to keep or to hand on. Streamed in slices."""
