"""The schema of the API keys, step by step."""
