"""Chaos: a load with a history, faults, and a checker that gives verdicts once everything has healed."""
