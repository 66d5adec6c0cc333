"""Telegram as a channel: updates in, messages out. It never gates trading."""
