"""The shared tier of the cache: entries, leases and purges, all of which may be lost."""
