#!/usr/bin/env bash
# Pins requirements*.in into requirements*.txt, with hashes, for every platform.
set -euo pipefail
. "$(dirname "$0")/venv.sh"
prepare_venv requirements-dev.txt
"$PYTHON_BIN" -m pip install -q uv
for name in requirements requirements-dev; do
  "$(dirname "$PYTHON_BIN")/uv" pip compile --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header --quiet "$name.in" -o "$name.txt"
done
