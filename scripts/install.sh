#!/usr/bin/env bash
# Installs the project's packages as the lock file says; npm itself comes from the system.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v npm >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing nodejs and npm by apt: npm is needed to install this project's packages (and its own Node 24)."
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nodejs npm >/dev/null
  else
    echo "npm is missing: install Node.js with npm (on Debian or Ubuntu: sudo apt-get install nodejs npm), then run make again." >&2
    exit 1
  fi
fi

echo "Installing this project's packages as package-lock.json says (about half a minute the first time) ..."
started=$SECONDS
# Engine warnings only say that the system's Node is older than the one installed here, which runs everything.
if ! npm ci --no-audit --no-fund --loglevel=error; then
  echo "npm ci failed: see its words above; it needs a reachable package registry (npm config get registry)." >&2
  exit 1
fi
touch node_modules/.package-lock.json
echo "Packages installed in $((SECONDS - started)) s."
