"""The words for an error of the database: its reason in one line, and what a person can do."""

import psycopg
from psycopg.errors import InsufficientPrivilege, UndefinedColumn, UndefinedTable

ADVICE = {
    "25P03": "The reaction took longer between two statements than IDLE_IN_TRANSACTION_TIMEOUT_SECONDS (default 5). "
    "Make it faster, or raise the setting of the worker",
    "53200": "If it takes many locks, raise max_locks_per_transaction of the Postgres server",
    "53400": "Raise the named setting of the Postgres server, or let the reaction do less",
    "55P03": "Another session holds a lock that this message needs (LOCK_TIMEOUT_SECONDS, default 10): pg_locks and "
    "pg_stat_activity name it",
    "57014": "The statement took longer than STATEMENT_TIMEOUT_SECONDS (default 30). Make it faster, or raise the "
    "setting of the worker",
}
"""SQLSTATE -> the setting that stopped a reaction, and what to do."""


def reason_of(error: psycopg.Error) -> str:
    """The reason in one line without its full stop; Postgres' own text repeats the statement above a caret."""
    given = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    sentences = [text.strip().rstrip(".") for text in given if text] or [str(error).strip().rstrip(".")]
    return " ".join(". ".join(sentences).split())


def safe_text(error: BaseException) -> str:
    """The text of an exception of any code; its own `__str__` may fail."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001
        return f"{type(error).__name__}, whose text cannot be made"


def advised_reason_of(error: BaseException) -> str:
    """The reason why a reaction failed, and the setting where one stopped it."""
    if not isinstance(error, psycopg.Error):
        return safe_text(error)
    advice = ADVICE.get(error.sqlstate or "")
    return f"{reason_of(error)}. {advice}" if advice else reason_of(error)


def remedy_of(error: psycopg.Error, role: str = "", otherwise: str = "Is it up and migrated?") -> str:
    """What to do about a command's error; `role` is the role that it needs beside the owner's, if there is one."""
    if isinstance(error, InsufficientPrivilege):
        whose = f"of the role {role} or of the owner" if role else "of the owner"
        return f"Its URL must be that {whose} of the database."
    if isinstance(error, UndefinedTable | UndefinedColumn):
        return "Run `ordersaga migrate`."
    return otherwise
