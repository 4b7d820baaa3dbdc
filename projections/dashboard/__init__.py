"""The dashboard: a page is a layout and an update from typed rows; what reads these rows is `reading.py`.

app.py puts it on a Flask app behind guard.py; shell.py is the frame around every page; pages/ has a module for each;
components/ is what pages are made of; assets/ is all the browser gets beside the component libraries.
"""
