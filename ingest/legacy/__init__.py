"""A database of the original layout, made into one of ours: backed up, rewritten into a new file, swapped in whole.

`ingest.legacy.migrate.migrate_if_legacy` is the one way in. The original layout is known here and nowhere else.
"""
