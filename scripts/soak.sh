#!/usr/bin/env bash
# The demo's processes under random faults and kills; at the end bot and exchange must agree.
#   ./scripts/soak.sh                        30 minutes
#   ./scripts/soak.sh --minutes 1 --seed 7   a short one; a minute of it is a test (tests/e2e/test_soak.py)
#   ./scripts/soak.sh --json --keep folder   facts for a program; database and logs stay
set -euo pipefail
. "$(dirname "$0")/venv.sh"
prepare_venv requirements-dev.txt
exec "$PYTHON_BIN" -m soak "$@"
