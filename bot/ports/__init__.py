"""What the inside needs from the outside, as Protocols. Adapters implement them."""
