#!/usr/bin/env bash
# Puts a backup back in the database's place.
#   ./restore_db.sh <path_to_backup_file> [target_db_path]
# Stop every running instance first. Without a target, the configured database is replaced.
# What is replaced is kept beside it. RESTORE_FORCE=1 goes on although a bot may be running.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
if [ $# -lt 1 ] || [ $# -gt 2 ] || [ "${1:-}" = "-h" ] || [ "${1:-}" = "--help" ]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
  [ "${1:-}" = "-h" ] || [ "${1:-}" = "--help" ] && exit 0
  exit 2
fi
backup="$1"
if [ ! -f "$backup" ]; then
  echo "Step 1 of 3: backup file not found: $backup" >&2
  exit 1
fi
echo "Step 1 of 3: backup file found: $backup"
echo "Step 2 of 3: looking for locks and a leader; stop the bot first if this refuses"
echo "Step 3 of 3: replacing the database, keeping the old one beside it"
python=".venv/bin/python"
[ -x "$python" ] || python="${PYTHON:-python3}"
options=()
[ "${RESTORE_FORCE:-}" = "1" ] && options+=(--force)
exec "$python" -m bot restore "${options[@]}" "$@"
