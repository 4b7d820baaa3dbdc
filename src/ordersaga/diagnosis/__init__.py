"""Diagnosis: questions to the servers of a running application about what stalls it; nothing here changes anything.

diagnose.py       asks every server at the same time, within one time limit
ask_database.py   the questions to Postgres, in their order
ask_broker.py     the questions to RabbitMQ, in their order
questions.py      a question and what it is asked with
findings.py       what questions answer: findings, and what could not be seen
limits.py         how long is too long, and how many are too many
settings.py       the variables that it reads
party.py          the session in Postgres that a finding is about
named_lock.py     the advisory locks of the library that sessions hold or wait for
clocks.py         the clock of a server beside that of this machine

database/         asked of each database: one file for each question
server/           asked of each Postgres server, whose settings and limits its databases share
broker/           asked of RabbitMQ
application/      asked of the library's tables, or derived from the answers of both servers: relays, workers, parked
                  messages, deadlines
"""
