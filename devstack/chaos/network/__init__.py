"""The network of a chaos stack: a TCP proxy between each process and each server, and what can be done to it.

rule.py          what happens to the bytes and connections of a link
end.py           one side of a connection: what it receives goes out at the other
connection.py    one connection through the proxy, as two ends
listener.py      one link: its port, its rule and its connections
serve.py         the process of the proxy; it obeys lines of JSON
network.py       the proxy as the run sees it
routes.py        the addresses of the proxy in the environment of each process
"""
