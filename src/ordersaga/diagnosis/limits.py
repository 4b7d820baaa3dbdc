"""How long is too long, and how many are too many, for a diagnosis."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DiagnosisLimits:
    """What is beyond a limit is a finding; times are in seconds."""

    transaction: float = 60
    """Age of an open or prepared transaction."""
    wait: float = 5
    """How long a session may wait for a lock; APIs give up after 7 s, workers after 10."""
    lag: float = 5
    """Age of an announcement that nothing publishes."""
    overdue: float = 10
    """How late a deadline may be."""
    purge: float = 3600
    """How long rows may outlive their retention."""
    clock: float = 2
    """Difference between two clocks; the broker tells its time in whole seconds."""
    connections: float = 0.9
    """Share of the connections that a server or a role may have."""
    kept_wal: int = 2**30
    """Bytes of WAL that a replication slot may keep while it is in use."""
    dead_rows: int = 100_000
    """Dead rows of a table, if they are more than half as many as the live ones."""
    unanalyzed_rows: int = 100_000
    """Rows of a table of which there are no statistics."""
    transaction_ids: int = 1_000_000_000
    """Age of the oldest transaction id of a database; at 2,100,000,000 Postgres accepts no writes."""
    metrics: float = 2
    """Longest answer of the broker's metrics."""
