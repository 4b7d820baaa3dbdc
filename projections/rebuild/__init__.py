"""Making the read side again from the event stores while everything runs.

`stores` reads what the services have recorded, `derivation` turns it into messages, in processes of their own when it
is much (`derivers`); `shadow` makes tables like the live ones beside them, `log` fills them, `comparison` names what
is wrong in the live ones, `swap` puts them in place. `rebuild` is the whole of it, `one_view` the smaller one.
"""
