"""Checks of a contract's declaration: its class variables, and who announces it."""

from ordersaga.envelope.limits import contract_violation, source_violation
from ordersaga.envelope.message import ContractData


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
