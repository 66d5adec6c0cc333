"""The soak: the demo's real processes under random faults, judged from outside."""
