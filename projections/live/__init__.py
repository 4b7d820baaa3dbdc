"""The event log as it grows, sent to browsers: one reader of the log, a bounded queue for each who listens."""
