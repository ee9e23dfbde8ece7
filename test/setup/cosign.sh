#!/usr/bin/env bash
# Run by hand where cosign 2 or 3 is on the PATH: cosign signs and ma-bundle checks, ma-bundle signs and cosign checks.
# usage: test/setup/cosign.sh <bundle.tar>
set -euo pipefail
bundle=$(realpath "$1")
program=("$(dirname "$0")/../../node_modules/.bin/bun" "$(dirname "$0")/../../src/cli.ts")
program=("$(realpath "${program[0]}")" "$(realpath "${program[1]}")")
cd "$(mktemp -d)"
export COSIGN_PASSWORD=''
cosign generate-key-pair
tar xOf "$bundle" SHA256SUMS > SHA256SUMS

# What a person without ma-bundle writes; cosign 2 has no such formats to choose from.
old=(); cosign version 2>&1 | grep -q 'v3' && old=(--new-bundle-format=false --use-signing-config=false)
cosign sign-blob --yes --key cosign.key "${old[@]}" --tlog-upload=false --output-signature cosign.sig SHA256SUMS
"${program[@]}" verify "$bundle" --verify-key cosign.pub --signature cosign.sig
if ((${#old[@]})); then
  cosign sign-blob --yes --key cosign.key --use-signing-config=false --tlog-upload=false --bundle sigstore.json SHA256SUMS
  "${program[@]}" verify "$bundle" --verify-key cosign.pub --signature sigstore.json
fi

openssl ecparam -name prime256v1 -genkey -noout -out key.pem
openssl pkey -in key.pem -pubout -out pub.pem
"${program[@]}" sign "$bundle" --key key.pem --output ours.sig
cosign verify-blob --key pub.pem --signature ours.sig --insecure-ignore-tlog SHA256SUMS
echo 'cosign and ma-bundle take each other’s signatures'
