"""Builds of the shop that are broken on purpose, to see that the checker sees.

build.py      a build: a few lines of the source exchanged in a copy of it
catalogue.py  the builds
harm.py       what is done to a stack while it runs, so that a broken line has a consequence
proof.py      one build under its load and harm, and the verdicts of the checker
command.py    `./ordersaga chaos broken-builds`
"""
