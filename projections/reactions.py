"""What the group `projections` hears: every contract."""

from ordersaga.inbox.reactions import Reactions


class Everything(Reactions):
    """A registry bound to all contracts, those to come too; one that is not known yet is parked with its reason."""

    @property
    def contracts(self) -> list[str]:
        return ["*.*.*"]


reactions = Everything("projections")
