"""The report of a chaos run: one HTML file that needs no network, and the same as JSON.

facts.py    what was run, where, and how to repeat it
latency.py  how long each order took
plots.py    the plots
page.py     the HTML file
summary.py  the same for a terminal
write.py    writes all of it
"""
