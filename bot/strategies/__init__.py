"""Strategies: a market goes in, a wish or the reason for none comes out."""
