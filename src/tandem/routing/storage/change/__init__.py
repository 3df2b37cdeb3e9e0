"""How far a canary is, what was seen of it, and what became of it."""
