"""Background jobs: many routes or matrices asked for at once, and fetched when they are there."""
