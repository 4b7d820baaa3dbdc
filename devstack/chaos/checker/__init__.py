"""The checker: after healing and draining, verdicts over the history, the servers and the card processor's ledger."""
