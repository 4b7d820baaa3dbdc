"""Reconciliation: checks in the databases that every message is where it must be.

`snapshots` opens all databases, each at one moment; `stores` reads the events, checks their chains and derives what
they announce; `replay` compares the snapshots of aggregates with the events; `places` reads outboxes, inboxes and
parked messages. Events and places are sorted by message id (`sorted_runs`) and merged, and `rules` judges one message
at a time, knowing its `receivers`. `settle` waits for messages in flight. Memory stays bounded however many messages
there are.
"""
