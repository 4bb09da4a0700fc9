#!/bin/sh
# Runs a command of the build that trusts the certificates of the build's secret `ca` beside the base's own, if there is one.
# The two together lie in the build's memory while the command runs, and in no layer.
set -eu
if [ -s /run/secrets/ca ]; then
    bundle=$(mktemp -p /dev/shm)
    trap 'rm -f "$bundle"' EXIT
    cat /run/secrets/ca > "$bundle"
    if [ -r /etc/ssl/certs/ca-certificates.crt ]; then
        cat /etc/ssl/certs/ca-certificates.crt >> "$bundle"
    fi
    export PIP_CERT="$bundle" SSL_CERT_FILE="$bundle"
fi
"$@"
