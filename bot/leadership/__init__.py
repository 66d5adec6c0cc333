"""Who trades: lease rules (pure), the elector that lives by them, its gate and its watchdog."""
