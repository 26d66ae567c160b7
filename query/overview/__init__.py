"""What lists and figures need of every trace, kept in memory behind the file (docs/adr/0012-reads-at-a-million.md)."""
