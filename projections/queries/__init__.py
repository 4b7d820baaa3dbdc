"""The queries of the read side: a module per subject, a function per statement; the caller passes the connection.

sagas: orders by page, by id, unfinished ones, and how long each step usually takes
events: the event log by page, behind a position, by id, and what caused what
timeline: one order with its messages, its steps and its payment
stock, payments: products and charges by page
figures: how many, how fast, how long; at a cost that does not grow with the tables
product: one product, the orders that hold it, and what was received
notes: what people wrote about an order
search: what an id or a name may stand for
"""
