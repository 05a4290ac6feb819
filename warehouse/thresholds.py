"""The warehouse's thresholds, by name. Nothing else in this room holds a number of policy."""

from __future__ import annotations

# How long a published snapshot can be queried and rolled back to. It must far exceed the longest reader: a reader
# inside an open transaction whose snapshot expires would get no rows and no error.
RETENTION_DAYS = 400

# Files that no snapshot names are removed only when older than this: a writer on another machine, which the lock of
# this home cannot see, may be about to commit younger ones.
UNNAMED_FILES_DAYS = 2

# How long a publication waits for another writer of the same home before it gives up.
LOCK_WAIT_SECONDS = 300
