"""The SQL of a message's time that Python can represent."""

READABLE_TIME = "case when time is not null then greatest('0001-01-03', least('9999-12-29', time)) end"
"""A row from before the limits of the outbox may have any time; psycopg cannot read one before the year 1, one after
the year 9999, or infinity. Out of range it is so in either form, and the relay refuses it."""
