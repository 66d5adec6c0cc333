"""Small tools that know nothing of trading: clock, tasks, backoff, ids, logs."""
