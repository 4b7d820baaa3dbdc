"""Can a crash of the server lose committed transactions, and is it a primary?"""

from ordersaga.diagnosis.findings import DiagnosisFinding
from ordersaga.diagnosis.questions import Answers, AskedDatabase
from ordersaga.relay.session import dangers

SERVER = """
select pg_is_in_recovery(), current_setting('full_page_writes'), current_setting('synchronous_standby_names'),
    current_setting('synchronous_commit')
"""


def durability(asked: AskedDatabase) -> Answers:
    """What keeps a relay from starting, a standby that nobody waits for, and pages that a crash can tear."""
    [(is_standby, full_page_writes, standbys, commit)] = asked.connection.execute(SERVER)
    if is_standby:
        what = "the server is a standby and accepts no writes"
        yield DiagnosisFinding("critical", "standby", asked.place, what, "name the primary in the URL")
    for danger in dangers(asked.connection):
        what, _, remedy = danger.partition(". ")
        yield DiagnosisFinding("critical", "unsafe durability", asked.place, what, remedy)
    if standbys and commit == "local":
        what = f"commits do not wait for the synchronous standby ({standbys}): synchronous_commit is local"
        remedy = "Set it to on for this database: a failover loses what the standby has not got"
        yield DiagnosisFinding("critical", "unsafe durability", asked.place, what, remedy)
    if full_page_writes == "off":
        what = "full_page_writes is off: a crash can leave a page half written"
        yield DiagnosisFinding("critical", "unsafe durability", asked.place, what, "Set full_page_writes = on")
