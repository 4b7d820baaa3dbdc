"""Whether every message is where it must be, asked of the databases themselves.

`snapshots` opens all databases at one moment each; `stores` reads the events, checks their chains and derives what
they announce; `places` reads outboxes, inboxes and parked messages; both are sorted by message id (`sorted_runs`) and
merged, and `rules` judges one message at a time. `settle` waits for what is still under way. Nothing is held whole.
"""
