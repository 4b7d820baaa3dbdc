"""Makes the keys on first use, a folder for each reader: tokens, contacts, sealed events, webhooks, broker nodes."""

import sys
from pathlib import Path
from secrets import token_urlsafe

from devstack.keys import audit_key_pem, personal_key, webhook_key
from devstack.state import State
from devstack.token_keys import public_keys, write_copy

signing, verification, personal, sealing, webhooks, broker = map(Path, sys.argv[1:])
write_copy(verification / "token_public_key.pem", public_keys(State(signing).create()))
# Not even when the signing key is lost and made anew: without them no contact and no secret of a webhook can be read.
for file, make in (
    (personal / "personal_key_encryption_key", personal_key),
    (webhooks / "webhook_secrets_key", webhook_key),
    (broker / "erlang_cookie", lambda _: token_urlsafe(32)),
):
    if not file.exists():
        new = file.with_suffix(".new")
        new.write_text(make(State(signing)))
        new.replace(file)
audit_key_pem(State(sealing).create())
# Nodes run as a user of RabbitMQ's image, whose number is not ours; no other container has this folder.
broker.chmod(0o755)
