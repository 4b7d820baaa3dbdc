"""Proof that the event stores were not altered.

`leaf` is what the sealer seals of one event, `merkle` the root over all leaves, `note` and `checkpoint` the signed
root, `sealed_log` the files that keep both outside the databases. `sealer` appends and signs, `sealing` repeats it.
`records` is the stream that `verify` judges, store by store (`store_check`): read from an export, or from the log and
the database (`store_records`, `store`). `event_log_check` compares the read side's messages with the events.
"""
