"""The schema of the shared cache, step by step."""
