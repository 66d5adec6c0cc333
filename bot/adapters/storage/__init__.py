"""SQLite and PostgreSQL behind the storage ports."""
