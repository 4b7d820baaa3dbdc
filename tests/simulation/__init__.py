"""A deterministic simulation: the product's own decisions between models of Postgres and of RabbitMQ.

World runs the product's threads as greenlets and has the only clock; `postgres` and `broker` are the models, `session`
and `publisher` are how the product reaches them, `schedule` makes and runs the steps, and `properties` says what must
hold. `python -m tests.simulation --help` runs it.
"""
