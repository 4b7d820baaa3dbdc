"""A read side: the log of every message, and views that are folded from it.

`read_side` describes a read side, `projector` is the handler of its group. `event_log` appends messages, `events`
queries them, `rows` turns rows into types. `rebuild` derives log and views again from the event stores while
everything runs, `live` passes new messages to listeners. `tables` and `migrations` define the event log and the
history of rebuilds.
"""
