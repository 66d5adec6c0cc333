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
# What is compiled once is read by every worker and by every program that a test starts.
unset PYTHONDONTWRITEBYTECODE
# A database writes each commit through to its disk. Where memory has room, no test waits for that.
if [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -gt 4194304 ]; then
  export PYTEST_DEBUG_TEMPROOT="${PYTEST_DEBUG_TEMPROOT:-/dev/shm}"
fi
# Whole stretches of a list that begins with servers and processes would keep one worker busy long
# after the others have ended: who is idle takes from the others' lists.
exec "$PYTHON_BIN" -m pytest -n "${TEST_WORKERS:-3}" --dist worksteal -q "$@"
