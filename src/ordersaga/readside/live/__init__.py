"""The live event log: one reader of the log per process, and a bounded queue for each listener."""
