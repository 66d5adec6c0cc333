# Sourced by the other scripts: a virtual environment with exactly the locked packages.
# usage: . scripts/venv.sh [requirements file]

# A bare environment has a search path but does not export it, and then Python cannot find itself.
export PATH="${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}"
export PIP_DISABLE_PIP_VERSION_CHECK=1
export PYTHONUNBUFFERED=1
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

find_python() {
  local candidate
  for candidate in "${PYTHON:-}" python3.11 python3.12 python3.13 python3; do
    [ -n "$candidate" ] || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s' "$candidate"
      return 0
    fi
  done
  return 1
}

prepare_venv() {
  local requirements="$1" venv="${VENV:-.venv}" python stamp wanted log
  if ! python=$(find_python); then
    echo "Python 3.11 or newer is needed. Debian or Ubuntu: apt-get install python3 python3-venv" >&2
    return 1
  fi
  if [ ! -x "$venv/bin/python" ] && ! "$python" -m venv "$venv"; then
    rm -rf "$venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
      echo "The venv module is missing; installing it (python3-venv)"
      apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
      "$python" -m venv "$venv" || return 1
    else
      echo "The venv module is missing: apt-get install python3-venv" >&2
      return 1
    fi
  fi
  wanted=$(cat requirements.txt requirements-dev.txt | sha256sum | cut -d' ' -f1)
  stamp="$venv/.installed-$(basename "$requirements")"
  # The development set contains the run-time set.
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ] &&
     [ "$(cat "$venv/.installed-requirements-dev.txt" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing $requirements into $venv (a minute or so the first time)"
    log="$venv/install.log"
    if ! "$venv/bin/python" -m pip install -q --require-hashes -r "$requirements" >"$log" 2>&1; then
      cat "$log" >&2
      echo "The installation failed; is the package index reachable?" >&2
      return 1
    fi
    printf '%s' "$wanted" >"$stamp"
  fi
  PYTHON_BIN="$venv/bin/python"
}
