#!/usr/bin/env bash
# Breaks real processes on a real PostgreSQL and prints what came of it: fault, runs, expected, seen.
#   ./scripts/chaos.sh                  the whole matrix with the real timings (about an hour)
#   ./scripts/chaos.sh --short          shorter leases, under a minute; also a test (tests/e2e/test_chaos.py)
#   ./scripts/chaos.sh --only deploy,sigkill --runs 3 --json
set -euo pipefail
. "$(dirname "$0")/venv.sh"
prepare_venv requirements-dev.txt
exec "$PYTHON_BIN" -m chaos "$@"
