"""What a human may ask, whatever the channel."""
