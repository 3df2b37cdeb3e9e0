"""What was answered before: how long it is worth something, and where it is kept."""
