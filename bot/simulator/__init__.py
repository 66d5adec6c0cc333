"""A Kalshi look-alike: REST and WebSocket server over ``bot.venue``, with worlds and faults.

``SimulatedExchange`` is the door for tests and demos, ``run`` the one for the
command line. Everything an exchange *decides* is in ``bot.venue``; this package
adds the wire: headers, bodies, limits, sequence numbers and what can go wrong.
"""
