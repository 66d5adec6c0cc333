"""What we own, what it is worth, and what it could cost us."""
