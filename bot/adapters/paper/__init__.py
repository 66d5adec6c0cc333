"""Paper trading: real markets, an account of our own, and a journal that does not forget."""
