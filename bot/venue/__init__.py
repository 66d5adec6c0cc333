"""The exchange as a pure, synchronous, deterministic model.

It matches, charges, nets, expires, pauses and settles; it does no I/O, reads no
clock and rolls no dice. The simulated exchange, paper trading and backtests
stand on it. ``Venue`` is the door for traders, ``Venue.operations`` for who
runs the exchange, ``Venue.reads`` for who looks.
"""
