"""Alembic migrations of the schema `routing_change`."""
