"""Keeps raw frames in files, within a budget."""
