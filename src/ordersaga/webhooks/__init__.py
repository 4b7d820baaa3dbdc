"""Webhooks: messages of the event log, and alarms, sent to the addresses of other systems, signed and retried.

`subscriptions` and `deliveries` are the tables, `collecting` turns the log into deliveries, `payload` writes their
bodies. `destination` says which addresses may be reached, `post` makes one request, `signing` signs it. `sender` is the
loop of the process, `endpoint` its memory of one subscription, `daemon` the process. `sealing` seals the secrets.
"""
