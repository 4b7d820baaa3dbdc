"""`make mutation`: one line of the core at a time is changed, and a test has to fail.

targets.py    which files are mutated, and the tests that judge each
make.py       the mutants of a file, by cosmic-ray; it runs in an environment of its own
judge.py      judges each mutant, with servers that stay up
session.py    runs its tests in a fork of a session of pytest that has collected them
reach.py      which tests reach the statement that is changed
swap.py       gives functions that are imported the code of the mutant
fork.py       runs pytest anew, for a mutant that differs when it is imported
simulated.py  schedules of the simulation, as tests of relay and consumer
report.py     the table, and the survivors beside what survivors.toml says of them
"""
