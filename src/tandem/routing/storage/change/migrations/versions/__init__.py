"""The schema of canaries, step by step."""
