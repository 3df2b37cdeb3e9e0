"""The schema of the background jobs, step by step."""
