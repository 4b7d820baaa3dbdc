"""Clusters under fire: a Postgres whose standby is promoted, and nodes of RabbitMQ that lose each other."""
