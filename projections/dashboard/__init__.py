"""The dashboard: a page is a layout and an update from typed rows; `reading.py` reads the rows.

app.py mounts it on a Flask app behind guard.py; shell.py draws the frame around every page; pages/ has a module per
page; components/ has the parts of pages; assets/ has the scripts and styles beside those of the component libraries.
"""
