"""Contract: frozen data with a versioned name, a key field and one source."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """One kind of message that services exchange, as a frozen pydantic model with three class variables.

        class BookReturned(Contract):
            NAME: ClassVar[str] = "library.book_returned.v1"
            SOURCE: ClassVar[str] = "library"
            KEY: ClassVar[str] = "book_id"
            book_id: UUID
            days: int

    Readers ignore fields they do not know, so a contract may grow by optional fields; any other change is a new
    version, under a new name, which names the one before it and says how a message of that one is read:

        class BookReturnedV2(Contract):
            NAME: ClassVar[str] = "library.book_returned.v2"
            SOURCE: ClassVar[str] = "library"
            KEY: ClassVar[str] = "book_id"
            PREDECESSOR: ClassVar[type[Contract] | None] = BookReturned
            book_id: UUID
            hours: int

            @classmethod
            def upcast(cls, old: BookReturned) -> "BookReturnedV2":
                return cls(book_id=old.book_id, hours=24 * old.days)

    Any class with these variables, `model_dump_json` and `model_validate_json` works.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    NAME: ClassVar[str]
    """`<context>.<event>.v<version>`, the CloudEvents type and the first part of the routing key."""

    SOURCE: ClassVar[str]
    """The name of the only service that announces it, the `ce-source`; a message of it from another is refused."""

    KEY: ClassVar[str]
    """The field that is the key: messages of one key arrive in their order everywhere."""

    PREDECESSOR: ClassVar[type[Any] | None] = None
    """The version before this one, of the same source and key; a subclass of another version names its own."""

    @classmethod
    def upcast(cls, old: Any) -> Self:
        """The message of the predecessor, as one of this version: from its content alone, so always the same."""
        raise NotImplementedError(f"{cls.__qualname__} does not say how to upcast a {type(old).__qualname__}")
