"""Makes the key pair for bearer tokens on first use: one folder for who signs, another for who verifies."""

import sys
from pathlib import Path

from stack.keys import public_key
from stack.state import State

signing, verification = map(Path, sys.argv[1:])
(verification / "token_public_key.pem").write_text(public_key(State(signing).create()))
