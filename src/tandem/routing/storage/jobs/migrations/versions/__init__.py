"""The schema of background jobs, step by step."""
