#!/usr/bin/env bash
# Installs everything the tests need (PostgreSQL included) and runs them all.
#   ./scripts/test.sh [pytest arguments]
set -euo pipefail
. "$(dirname "$0")/venv.sh"
prepare_venv requirements-dev.txt
# Only root can install it; without it the tests of poolers say that they were skipped, and why.
if ! command -v pgbouncer >/dev/null && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing pgbouncer for the tests of connection poolers"
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends pgbouncer; } >/dev/null 2>&1 ||
    echo "pgbouncer could not be installed" >&2
fi
exec "$PYTHON_BIN" -m pytest -n "${TEST_WORKERS:-3}" -q "$@"
