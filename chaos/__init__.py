"""Faults on real processes and a real PostgreSQL, and how long nobody traded."""
