"""`impostor`: a taken-over service tries to speak for others, to forge, and to read and write elsewhere."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from uuid import UUID

import psycopg

from devstack.breaking.attempts import DECLINED, REFUSED, Attempt, Forged, Impostor, said
from devstack.breaking.scenario import FailureScenario
from devstack.chaos.narrative.command import chaos_command_of
from ordersaga.parked import operations
from ordersaga.parked.operator import Operator
from ordersaga.reconcile.findings import ReconcileFinding
from ordersaga.reconcile.reconcile import Reconciliation

SKU = "break-ring"
SLOW = "pm_sim_delay_3000"
PATIENCE = 3
"""Seconds for which reconcile waits for what may be under way."""
OPERATOR = Operator("break-operator", "forged by a taken-over service")
PARKED = "select message_id, error from parked_messages where headers ->> 'ce-correlationid' = %(mark)s"
UNDELIVERABLE = "select message_id, kind || ': ' || reason from undeliverable where correlation_id::text = %(mark)s"


class ImpostorScenario(FailureScenario):
    name = "impostor"
    about = (
        "Suppose that somebody has taken over payments, and has its database role and its two broker users: what can "
        "he do to the others? Every account may do what its process does, and no more: the servers refuse the rest. "
        "Messages that he may send are checked by whoever receives them: a contract has one source, and its key "
        "decides its queue. What he says in his own name, about his own business, is believed, as from the true "
        "payments; it cannot be hidden, because no recorded event explains it."
    )
    does = "An impostor with the accounts of payments attacks orders, while customers order."
    expect = "Each attempt is refused by a server, or put aside by its receiver, or named by `reconcile`."
    heals = "An operator skips what was put aside; each of his actions is recorded."
    skus = (SKU,)

    not_refused: Sequence[str] = ()
    forged: Sequence[Forged] = ()
    lie: Forged | None = None
    found: Mapping[tuple[str, UUID], str] = {}
    """(Database, id) of each forgery that was put aside -> why."""

    def prepare(self) -> None:
        self.scene.stock(SKU, 5)

    def broken(self) -> AbstractContextManager[None]:
        return nullcontext()

    def begin(self) -> str:
        honest = self.scene.place(SKU, customer="ann", title="ann, whom the impostor wanted to harm")
        self.say("ann orders a ring. The impostor has the accounts of payments.")
        impostor = Impostor(self.scene, honest)
        self.not_refused = [each for each in map(self.attempt, impostor.attempts()) if each]
        self.forged = list(impostor.forge())
        for forged in self.forged:
            self.say(f"The impostor {forged.what}. No server can refuse that.")
        self.scene.place(SKU, customer="ann")
        cheated = self.scene.place(SKU, customer="ben", card=SLOW, title="ben, about whom the impostor lied")
        self.say("ann orders another ring, and ben one; his card processor takes three seconds to answer.")
        self.scene.until(lambda: self.scene.charges(cheated), "the charge of ben")
        self.lie = Impostor(self.scene, cheated).lie()
        return f"The impostor {self.lie.what}. That is believed, as from the true payments."

    def attempt(self, attempt: Attempt) -> str:
        """What was not refused; empty when it was."""
        try:
            attempt.do()
        except REFUSED as refusal:
            self.say(f"With {attempt.who} he {attempt.what}. Refused: {said(refusal)}")
            return ""
        self.say(f"With {attempt.who} he {attempt.what}. NOT REFUSED")
        return attempt.what

    def is_healed(self) -> bool:
        """Once everything forged is found where it was put aside, an operator skips it, and the orders go on."""
        if not self.found and all(map(self.places_of, self.forged)):
            self.found = {place: error for forged in self.forged for place, error in self.places_of(forged).items()}
            self.clean_up()
        return bool(self.found) and super().is_healed()

    def places_of(self, forged: Forged) -> dict[tuple[str, UUID], str]:
        """(Database, id under which it waits for a person) -> why."""
        found: dict[tuple[str, UUID], str] = {}
        for database, url in self.scene.environments.owner_urls().items():
            with psycopg.connect(url) as connection:
                for query in (PARKED, UNDELIVERABLE):
                    rows = connection.execute(query.encode(), {"mark": str(forged.mark)}).fetchall()
                    found |= {(database, id_): error.splitlines()[0] for id_, error in rows}
        return found

    def clean_up(self) -> None:
        for (database, id_), error in self.found.items():
            self.say(f"{database} has put aside message {id_}: {error}")
            with psycopg.connect(self.scene.environments.owner_urls()[database]) as connection:
                operations.skip(connection, id_, OPERATOR)
        self.say(f"{OPERATOR.actor} skips these {len(self.found)}: none of them ever takes effect.")

    def verdict(self) -> str:
        if self.not_refused:
            return f"Not refused: {'; '.join(self.not_refused)}."
        return "" if self.named() else "No finding of reconcile names the lie."

    def named(self) -> list[ReconcileFinding]:
        """What `reconcile` says of the lie."""
        assert self.lie
        found: list[ReconcileFinding] = []
        reconciliation = Reconciliation(
            self.scene.application.services,
            self.scene.environments.owner_urls(),
            found.append,
            key=self.lie.key,
            patience=PATIENCE,
        )
        reconciliation.run()
        return [finding for finding in found if finding.message_id == self.lie.id]

    def findings(self) -> Sequence[str]:
        return [f"reconcile says of the lie: {finding}" for finding in self.named()]

    def planted(self) -> Sequence[str]:
        # The views have rows about the lie that name the order or the contract in place of the message.
        lie = [str(self.lie.id), str(self.lie.key), DECLINED] if self.lie else []
        return lie + [str(id_) for _, id_ in self.found] + [str(forged.id) for forged in self.forged]


on_own_stack = chaos_command_of(ImpostorScenario)
