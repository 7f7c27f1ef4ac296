"""The policy database and the inbox, in SQLite or PostgreSQL through SQLAlchemy."""

from portcall.adapters.database.migrate import migrate
from portcall.adapters.database.opening import Database, open_database
from portcall.adapters.database.secret_key import load_or_create_secret_key, the_secret_key

__all__ = ["Database", "load_or_create_secret_key", "migrate", "open_database", "the_secret_key"]
