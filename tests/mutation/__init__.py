"""`make mutation`: one line of the core at a time is changed, and a test has to fail.

targets.py    which files are mutated, and the tests that judge each
make.py       the mutants of a file, by cosmic-ray; it runs in an environment of its own
judge.py      runs the tests on each mutant, with servers that stay up, in forks of a process that has its imports
report.py     the table, and the survivors beside what survivors.toml says of them
"""
