"""The field's words as types: money, markets, books, orders, positions, events. Pure."""
