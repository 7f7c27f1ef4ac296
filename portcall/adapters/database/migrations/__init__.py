"""The schema's history, one file a step, for Alembic."""
