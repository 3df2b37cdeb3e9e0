"""The shared shell: database, HTTP kit, settings, keys, logs, processes. Knows no domain."""
