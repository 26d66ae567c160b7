"""The job board: work for the replay workers, kept as rows, handed out, waited for."""
