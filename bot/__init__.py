"""A Telegram-controlled trading bot for Kalshi with database-based leadership."""

__version__ = "0.1.0"
