"""Proof that the event stores were not altered.

`leaf` is what is sealed of one event, `merkle` the tree over all leaves, `note` and `checkpoint` the signed root, `log`
the files that keep both outside the databases, `store` the SQL, `sealer` what appends and signs. `records` is the one
stream that an export holds and the databases give, and `verify` judges it. `trail`, `why` and `state` ask what was
done; `api` gives all of it over HTTP, out of its `sources`.
"""
