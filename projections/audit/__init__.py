"""The shop's questions to its audit trail.

`trail` says who did what, `past_saga` how an order stood at a time; `api` serves them over HTTP, with
the proof that `ordersaga.audit` gives, from the databases and files of `sources`.
"""
