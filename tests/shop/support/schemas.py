"""The databases of the shop's services, for tests that name them: importing this makes them known."""

from shop import services
from tests.support.databases import SCHEMAS

SCHEMAS.update({service.name: service.schema for service in services})
