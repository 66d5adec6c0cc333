"""May we, may we still, and how much."""
