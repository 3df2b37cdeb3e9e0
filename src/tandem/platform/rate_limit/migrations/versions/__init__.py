"""The schema of the shared rate limits, step by step."""
