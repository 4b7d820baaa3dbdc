"""Proof that the event stores were not altered.

`leaf` is the sealed form of one event, `merkle` computes the root over all leaves, `note` and `checkpoint` hold the
signed root, `sealed_log` the files with both, outside the databases. `sealer` appends and signs, `sealing` runs it in
a loop. `verify` checks a stream of `records`, store by store (`store_check`): from an export, or from the log and the
database (`store_records`, `store`). `event_log_check` compares the read side's messages with the events.
"""
