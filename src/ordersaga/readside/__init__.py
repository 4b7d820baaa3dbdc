"""A read side: the log of every message, and views that are folded from it.

`read_side` says what a read side is, `projector` is the handler of its group. `event_log` appends messages, `events`
queries them, `rows` turns rows into types. `rebuild` makes all of it again from the event stores while everything
runs, `live` hands new messages to listeners. `tables` and `migrations` are the event log and the history of rebuilds.
"""
