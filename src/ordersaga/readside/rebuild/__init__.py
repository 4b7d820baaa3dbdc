"""The rebuild of a read side from the event stores of its sources, while everything runs.

`stores` reads the recorded events, `derivation` turns them into messages, in child processes for large stores
(`derivers`). `shadow` creates tables like the live ones in another schema, `shadow_log` fills the log among them,
`comparison` finds wrong rows in the live ones, `swap` replaces the live tables with the shadow. `rebuild` runs these
steps, `one_view` rebuilds a single view, `history` and `lag` serve the status.
"""
