"""Checks of a contract's declaration: its class variables, and who announces it."""

from ordersaga.envelope.limits import contract_violation, source_violation
from ordersaga.envelope.message import ContractData
from ordersaga.envelope.versions import kind_of, predecessor_of


def require_contract(contract: type[ContractData]) -> None:
    """Check the class variables of a contract.

    Raises:
        ValueError: one is missing or malformed; the text says which and what it must be.
    """
    for variable, meaning in VARIABLES.items():
        if not isinstance(getattr(contract, variable, None), str):
            raise ValueError(f"{contract.__qualname__} has no {variable}: name {meaning} in this class variable")
    reason = contract_violation(contract.NAME) or source_violation(contract.SOURCE)
    if reason:
        raise ValueError(f"{contract.__qualname__}: {reason}")
    if before := predecessor_of(contract):
        require_contract(before)
        require_successor(contract, before)


def require_successor(contract: type[ContractData], before: type[ContractData]) -> None:
    """Check that a contract is the next version of another. Raises ValueError."""
    name, number = f"{contract.__qualname__}, after {before.__qualname__},", version_of(before.NAME) + 1
    if f"{kind_of(before.NAME)}.v{number}" != contract.NAME:
        raise ValueError(f"{name} must be named {kind_of(before.NAME)}.v{number}, not {contract.NAME}")
    if contract.SOURCE != before.SOURCE:
        raise ValueError(f"{name} must be announced by {before.SOURCE} too, not by {contract.SOURCE}")
    if "upcast" not in vars(contract):
        raise ValueError(f"{name} must say in a classmethod `upcast` how a message of {before.NAME} is read")


def version_of(name: str) -> int:
    """The number in the name of a contract."""
    return int(name.rpartition(".v")[2])


VARIABLES = {
    "NAME": "the contract, <context>.<event>.v<version>,",
    "SOURCE": "the service that announces it",
    "KEY": "the field that is the key",
}


def require_source(contract: type[ContractData], source: str) -> None:
    """Check that a service may announce a contract.

    Raises:
        ValueError: the contract is malformed, or another service announces it.
    """
    require_contract(contract)
    if source != contract.SOURCE:
        raise ValueError(f"{contract.NAME} is announced by {contract.SOURCE}, so {source} cannot announce it")
