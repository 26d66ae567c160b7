"""The reader: answers every question about what is stored, from read-only connections."""
