"""Parquet files of an export: written whole or not at all, read back as Arrow."""
