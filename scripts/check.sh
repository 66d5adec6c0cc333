#!/usr/bin/env bash
# Style, types, layers and schema: everything that is not a test.
set -uo pipefail
. "$(dirname "$0")/venv.sh"
prepare_venv requirements-dev.txt || exit 1
bin=$(dirname "$PYTHON_BIN")
failed=()
step() {
  local name="$1"
  shift
  echo "== $name"
  "$@" || failed+=("$name")
}
step "ruff check" "$bin/ruff" check .
step "ruff format" "$bin/ruff" format --check .
step "mypy" "$bin/mypy"
step "import contracts" "$bin/lint-imports"
step "schema (SQLite)" "$PYTHON_BIN" scripts/alembic_check.py
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
echo "all checks passed"
