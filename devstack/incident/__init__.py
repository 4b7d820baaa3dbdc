"""An incident: the history of one order, without personal data, as a pytest that replays it.

records.py     what the databases and the card processor know of one order
collect.py     the incident in these records, made anonymous, of:
aggregates.py  the order, its payment, its reservation, its part of the stock
receptions.py  which group has received which message, and when
steps.py       what happened, ordered by cause and time
ending.py      how it ended, what is wrong with that, what a reader must know
foreign.py     what nobody has announced
incident.py    what an incident is made of
cards.py       the test card that behaves as a card did
rules.py       what is wrong with the end of an order
source.py      the incident as the text of a pytest
command.py     `./ordersaga incident`
"""
