"""Makes the keys on first use, a folder for each reader: token signer and verifier, contacts, sealed events."""

import sys
from pathlib import Path

from devstack.keys import audit_key_pem, personal_key, public_key
from devstack.state import State

signing, verification, personal, sealing = map(Path, sys.argv[1:])
(verification / "token_public_key.pem").write_text(public_key(State(signing).create()))
# Not even when the signing key is lost and made anew: without it no contact can be read.
personal_key_file = personal / "personal_key_encryption_key"
if not personal_key_file.exists():
    new = personal_key_file.with_suffix(".new")
    new.write_text(personal_key(State(signing)))
    new.replace(personal_key_file)
audit_key_pem(State(sealing).create())
