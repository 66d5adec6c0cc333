#!/usr/bin/env bash
# A thousand chat commands under kills, 409, 429, resets, slow answers and repeated updates.
#   ./scripts/chat_chaos.sh                            1,000 commands, a kill every 25 (a few minutes)
#   ./scripts/chat_chaos.sh --commands 100 --seed 7    a short one; also a test (tests/e2e/test_chat_chaos.py)
#   ./scripts/chat_chaos.sh --postgres --in-process    another database; cancelled tasks for killed processes
set -euo pipefail
. "$(dirname "$0")/venv.sh"
prepare_venv requirements-dev.txt
exec "$PYTHON_BIN" -m chaos.chat "$@"
