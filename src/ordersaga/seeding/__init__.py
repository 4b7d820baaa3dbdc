"""Seeding: gives a consumer group that is added later, and it alone, the history of its contracts.

`sources` says which services announce what the group receives. `history` reads the messages of one of them from its
event store, `merge` brings them into causal order, `sender` publishes them to the exchange of the group.
`broker.seeding` keeps on the broker, and `record` in the group's database, that the group is being seeded. `seeding`
runs these window by window, and pauses the relays for the last one.
"""
