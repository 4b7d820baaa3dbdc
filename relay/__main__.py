"""`python -m relay [DATABASE ...]`: publish what the services of the shop have announced, until told to stop."""

from ordersaga.relay.daemon import run
from shop import services

if __name__ == "__main__":
    run(services)
