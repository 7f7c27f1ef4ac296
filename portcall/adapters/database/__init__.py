"""The policy database and the inbox, in SQLite or PostgreSQL through SQLAlchemy."""

from portcall.adapters.database.migrate import migrate
from portcall.adapters.database.opening import Database, open_database
from portcall.adapters.database.secret_key import (
    add_key,
    drop_old_keys,
    key_file,
    load_or_create_secret_key,
    the_secret_key,
)

__all__ = [
    "Database",
    "add_key",
    "drop_old_keys",
    "key_file",
    "load_or_create_secret_key",
    "migrate",
    "open_database",
    "the_secret_key",
]
