"""What background jobs keep: what was asked, what came of it, and what is due."""
