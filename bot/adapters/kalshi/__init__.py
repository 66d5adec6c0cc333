"""Kalshi over REST and WebSocket: the only rooms that know its URLs, headers and JSON."""
