#!/usr/bin/env bash
# Installs everything the tests need (PostgreSQL included) and runs them all.
#   ./scripts/test.sh [pytest arguments]
set -euo pipefail
. "$(dirname "$0")/venv.sh"
prepare_venv requirements-dev.txt
exec "$PYTHON_BIN" -m pytest -n "${TEST_WORKERS:-2}" -q "$@"
