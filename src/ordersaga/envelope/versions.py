"""Versions: the contracts of one kind of message, and how a message of an older one is read as the newest."""

from collections.abc import Iterable
from typing import TypeVar

from ordersaga.envelope.message import ContractData

AnyContract = TypeVar("AnyContract", bound=type[ContractData])
EVERY_VERSION = "*"
"""In a routing key, one word of any text."""


def kind_of(contract: str) -> str:
    """The name of a contract without its version: `<context>.<event>`."""
    return contract.rpartition(".")[0]


def every_version_of(contract: str) -> str:
    """What a queue is bound to that gets this contract, so that it gets a version that its group does not know yet."""
    return f"{kind_of(contract)}.{EVERY_VERSION}"


def predecessor_of(contract: type[ContractData]) -> type[ContractData] | None:
    """The version before this one; a class that inherits from another version has to name it itself."""
    found: type[ContractData] | None = vars(contract).get("PREDECESSOR")
    return found


def versions_of(contract: type[ContractData]) -> list[type[ContractData]]:
    """This contract and the versions before it, the first version last."""
    found = [contract]
    while before := predecessor_of(found[-1]):
        found.append(before)
    return found


def first_version_of(contract: type[ContractData]) -> type[ContractData]:
    """The version whose name the ids of all versions are computed with: an event keeps the id of its message."""
    return versions_of(contract)[-1]


def every_version(contracts: Iterable[type[ContractData]]) -> dict[str, type[ContractData]]:
    """By name, these contracts and the older versions of each."""
    return {version.NAME: version for contract in contracts for version in versions_of(contract)}


def with_older_versions(contracts: Iterable[type[ContractData]]) -> dict[str, type[ContractData]]:
    """Name -> the newest of these contracts that a message of this name can be read as."""
    found: dict[str, type[ContractData]] = {}
    for contract in sorted(contracts, key=lambda each: len(versions_of(each))):
        found |= dict.fromkeys((version.NAME for version in versions_of(contract)), contract)
    return found


def newest(contracts: Iterable[AnyContract]) -> list[AnyContract]:
    """Those of these contracts that are no older version of another of them."""
    known = list(contracts)
    older = {before.NAME for contract in known for before in versions_of(contract)[1:]}
    return [contract for contract in known if contract.NAME not in older]


def read_as(contract: type[ContractData], name: str, body: str | bytes) -> ContractData:
    """The body of a message of the contract named `name`, upcast from version to version.

    Raises whatever the validators of that version and the functions `upcast` raise.
    """
    if name == contract.NAME:
        return contract.model_validate_json(body)
    before = predecessor_of(contract)
    if before is None:
        raise ValueError(f"{contract.NAME} is no version of {name}")
    made: ContractData = contract.upcast(read_as(before, name, body))  # type: ignore[attr-defined]
    return made
