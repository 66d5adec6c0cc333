"""Web addresses of somebody else: alerts posted to them, and the ping of a dead man's switch."""
