"""What people are told without asking: texts, limits, and the way into the outbox."""
