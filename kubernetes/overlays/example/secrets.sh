#!/bin/sh
# Makes every Secret of the example as files in secrets/, each of them once: sh secrets.sh
# Keep what it makes where you keep secrets; whoever loses a key loses what it seals.
set -eu
umask 077
cd "$(dirname "$0")"
mkdir -p secrets
cd secrets

account() { # of a Postgres role or RabbitMQ user, or both; the password becomes a part of URLs
    test -e "$1.env" || printf 'username=%s\npassword=%s\n' "$2" "$(openssl rand -hex 24)" >"$1.env"
}
account database-owner ordersaga
account database-auditor auditor
account provisioner provisioner
account projections projections
for service in order payment inventory; do
    account "$service-service" "${service}_service"
    account "$service-service-relay" "${service}_service_relay"
done
for service in orders payments inventory; do
    account "$service-database-relay" relay
done

for pair in token audit; do # Ed25519; the private key of tokens is for whoever issues them, and goes into no Secret
    test -e "${pair}_private_key.pem" || openssl genpkey -algorithm ed25519 -out "${pair}_private_key.pem"
    test -e "${pair}_public_key.pem" || openssl pkey -in "${pair}_private_key.pem" -pubout -out "${pair}_public_key.pem"
done
for key in personal_key_encryption_key webhook_secrets_key; do
    test -e "$key" || openssl rand -base64 32 | tr -d '\n' >"$key"
done
test -e stripe_api_key || printf sk_test_simulator >stripe_api_key
