"""Kalshi's JSON to domain values and back. Pure, strict on numbers, tolerant of new fields.

Whatever the bytes, a reader returns a value or raises ``InvalidMessage``. Prices
come out on the YES leg in every case; counts and money never touch a float.
"""
