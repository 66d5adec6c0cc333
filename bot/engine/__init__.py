"""The single writer: one event in, a tuple of effects out, and nothing in between waits."""
