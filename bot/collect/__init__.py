"""Collecting market data: hourly snapshots, what is missing from them, and what they are about."""
