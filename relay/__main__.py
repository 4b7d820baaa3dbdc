"""`python -m relay [DATABASE ...]`: publish what the services have announced, until told to stop."""

from ordersaga.relay.daemon import run

if __name__ == "__main__":
    run()
