"""`./ordersaga chaos NAME`: a scenario on a stack of its own, told so that a newcomer understands it.

order_narrative.py     what each service did for one order, read from the event stores
event_words.py         events in words
figures.py             stock, money and messages, read from the stores and the card processor's ledger
recorded_shop.py       the client whose every command is in the history that the checker reads
scenario_narrative.py  the run of a scenario, from an empty stack to the verdicts
text.py                the narrative as text
command.py             the command
"""
