"""An application of three services that only announce (`ordersaga --app tests.library.three_services`)."""

from ordersaga.service import Service

services = [Service(name) for name in ("first", "second", "third")]
