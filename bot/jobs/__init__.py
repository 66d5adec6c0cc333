"""What the leader runs when: triggers, the table of jobs, and the scheduler that fires them."""
