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
schema_check() {
  # The PostgreSQL side of this is a test, which brings its own server.
  local folder
  folder=$(mktemp -d) || return 1
  "$bin/alembic" -x "url=sqlite:///$folder/check.sqlite" upgrade head &&
    "$bin/alembic" -x "url=sqlite:///$folder/check.sqlite" check
  local code=$?
  rm -rf "$folder"
  return $code
}
step "alembic check (SQLite)" schema_check
if [ ${#failed[@]} -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
echo "all checks passed"
