#!/bin/sh
# A secret may come as a file: NAME_FILE names it, and NAME is set to its content. Then becomes the command.
# Only for these names: others that end so, such as SSL_CERT_FILE, mean a file.
set -eu
for name in $(env | sed -n -E 's/^(AMQP_URL|AUDIT_SIGNING_KEY|STRIPE_API_KEY|TOKEN_PUBLIC_KEY|PERSONAL_KEY_ENCRYPTION_KEY|WEBHOOK_SECRETS_KEY|[A-Z_]+_DATABASE_URL)_FILE=.*/\1/p'); do
    content=$(cat "$(printenv "${name}_FILE")")
    export "$name=$content"
done
exec "$@"
