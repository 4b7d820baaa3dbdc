"""The event log as it grows: one reader of the log in a process, and a bounded queue for each listener."""
