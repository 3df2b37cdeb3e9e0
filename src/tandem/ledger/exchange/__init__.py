"""Import and export: lines of files to commands, records of the log to files."""
