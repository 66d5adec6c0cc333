"""E-mail as a channel: alerts out over an SMTP submission server. It never gates trading."""
