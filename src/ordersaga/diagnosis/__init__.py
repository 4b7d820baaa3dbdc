"""Diagnosis: questions to the servers of a running application about what stalls it; nothing here changes anything.

findings.py       what questions answer: findings, and what could not be seen
limits.py         how long is too long, and how many are too many
questions.py      a question and what it is asked with
party.py          the session in Postgres that a finding is about
diagnose.py       asks every server at the same time, each with its own time limit

database/         asked of Postgres: one file for each question
broker/           asked of RabbitMQ
suite/            asked of the library's own tables, and of what both servers say
"""
