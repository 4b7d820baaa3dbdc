"""Many more random interleavings of messages, commands, deadlines and crashes than `make test` plays."""

from hypothesis import settings

from tests.shop.test_saga_races import PureSaga


class ManySagas(PureSaga):
    pass


TestAnyInterleaving = ManySagas.TestCase
TestAnyInterleaving.settings = settings(max_examples=4000, stateful_step_count=50, deadline=None)
