"""What routing keeps in PostgreSQL. Nothing else in this package speaks SQL."""
