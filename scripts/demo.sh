#!/usr/bin/env bash
# The bot at work, with nothing to set up: SQLite, a simulated exchange, paper money, a page to watch.
#   ./scripts/demo.sh [--seconds N] [--recording DIR] [--speed X] [--seed N] [--port P] [--fresh]
set -euo pipefail
. "$(dirname "$0")/venv.sh"
prepare_venv requirements.txt
exec "$PYTHON_BIN" -m bot demo "$@"
