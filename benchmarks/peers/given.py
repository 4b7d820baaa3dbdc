"""What the peers' harness gives to a command of ours: its servers and its helpers."""

import importlib
import os
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg.sql import SQL, Identifier


def common() -> Any:
    """The harness's module of that name, which it puts on PYTHONPATH."""
    return importlib.import_module("common")


def database_url(name: str) -> str:
    """Of a database on the harness's Postgres, as its superuser."""
    given = os.environ
    host = quote(given["PGHOST"], safe="")
    return f"postgresql://{given['PGUSER']}@/{name}?host={host}&port={given['PGPORT']}"


def amqp_url() -> str:
    return os.environ["AMQP_URL"]


def fresh_database(name: str) -> str:
    """Its URL."""
    with psycopg.connect(os.environ["DB_URI"], autocommit=True) as connection:
        connection.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))
        connection.execute(SQL("create database {}").format(Identifier(name)))
    return database_url(name)


def drop_database(name: str) -> None:
    with psycopg.connect(os.environ["DB_URI"], autocommit=True) as connection:
        connection.execute(SQL("drop database if exists {} with (force)").format(Identifier(name)))
