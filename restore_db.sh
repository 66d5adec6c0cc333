#!/usr/bin/env bash
# Puts a backup back in the database's place.
#   ./restore_db.sh <path_to_backup_file> [target_db_path]
# Stop every running instance first. Without a target, the configured database is replaced.
# What is replaced is kept beside it. RESTORE_FORCE=1 goes on although a bot may be running.
set -euo pipefail
if [ $# -lt 1 ] || [ $# -gt 2 ] || [ "$1" = "-h" ] || [ "$1" = "--help" ]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  if [ "${1:-}" = "-h" ] || [ "${1:-}" = "--help" ]; then exit 0; fi
  exit 2
fi
if [ ! -f "$1" ]; then
  echo "Step 1 of 3: backup file not found: $1" >&2
  exit 1
fi
echo "Step 1 of 3: backup file found: $1"
arguments=("$(realpath "$1")")
case "${2:-}" in
  "") ;;
  *://*) arguments+=("$2") ;;
  *) arguments+=("$(realpath -m "$2")") ;;
esac
if [ "${RESTORE_FORCE:-}" = "1" ]; then arguments+=(--force); fi
cd "$(dirname "${BASH_SOURCE[0]}")"
python=".venv/bin/python"
[ -x "$python" ] || python="${PYTHON:-python3}"
echo "Step 2 of 3: looking for lock files and a leader (refused while a bot may be running)"
if ! "$python" -m bot restore "${arguments[@]}"; then
  echo "Nothing was replaced." >&2
  exit 1
fi
echo "Step 3 of 3: database replaced; it starts halted, /unhalt after a look"
