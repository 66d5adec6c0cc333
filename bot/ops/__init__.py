"""Operator's tools: examine, back up, restore, lock, find processes."""
