"""Making a read side again from the event stores of its sources while everything runs.

`stores` reads the recorded events, `derivation` turns them into messages, in processes of their own for large stores
(`derivers`). `shadow` makes tables like the live ones in a schema of their own, `shadow_log` fills the log among them,
`comparison` names what is wrong in the live ones, `swap` puts the shadow in their place. `rebuild` is the whole of it,
`one_view` the smaller one, `history` and `lag` are for a status.
"""
