"""Alembic's migrations; they ship with the package and run when a database is opened."""
