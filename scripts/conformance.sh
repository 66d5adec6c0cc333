#!/usr/bin/env bash
# The simulated exchange judged by what its authors did not write: Kalshi's own specifications,
# recorded calls and frames, a fuzzer, two foreign clients, replayed captures.
#   ./scripts/conformance.sh [--short]
# Everything fetched stays under .conformance/; what cannot be had is a SKIPPED row. Recordings are
# looked for in $KALSHI_RECORDINGS, else ../shared/data.
set -uo pipefail
. "$(dirname "$0")/venv.sh"

SDK="kalshi-sdk==22.4.0" # its source distribution holds openapi.yaml 3.34.0 and asyncapi.yaml 2.0.0
SDK_SHA256=9a51a32909ed5c921a08c4d01bceea5d05a510d85d6d8d2713d6a453144671f4
OPENAPI_SHA256=fb86c72f185dc5866616caf20842484bdbfb9be7013208a81133f0bbe853f0af
ASYNCAPI_SHA256=f791a84fced394950343b6427dea88a9a754003d5f4ba9d0c1e43957baa1aea0
OFFICIAL="kalshi-python-async==3.34.0"
WEBSOCKETS="websockets==17.4"
FUZZER="schemathesis==4.32.5"
CRYPTOGRAPHY="cryptography==50.0.2"
NAUTILUS="nautilus_trader==1.231.0"
HOME_DIR="$PWD/.conformance"

arguments=()
for argument in "$@"; do
  case "$argument" in
  --short) arguments+=(--short) ;;
  *) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 2 ;;
  esac
done

is_file_with() { [ -f "$2" ] && [ "$(sha256sum "$2" | cut -d' ' -f1)" = "$1" ]; }

fetch_specs() {
  is_file_with "$OPENAPI_SHA256" "$HOME_DIR/specs/openapi.yaml" &&
    is_file_with "$ASYNCAPI_SHA256" "$HOME_DIR/specs/asyncapi.yaml" && return 0
  local archive="$HOME_DIR/sdist/kalshi_sdk-22.4.0.tar.gz"
  is_file_with "$SDK_SHA256" "$archive" ||
    "$PYTHON_BIN" -m pip download -q --no-deps --no-binary :all: --ignore-requires-python \
      -d "$HOME_DIR/sdist" "$SDK" >"$HOME_DIR/sdist.log" 2>&1
  if ! is_file_with "$SDK_SHA256" "$archive"; then
    echo "the specifications could not be fetched, or are not those that were pinned" >&2
    return 1
  fi
  tar xzf "$archive" -C "$HOME_DIR" --strip-components=1 \
    kalshi_sdk-22.4.0/specs/openapi.yaml kalshi_sdk-22.4.0/specs/asyncapi.yaml
}

# find_interpreter VERSION...: the first that exists, on the path or among pyenv's.
find_interpreter() {
  local version candidate
  for version in "$@"; do
    for candidate in "python$version" "${PYENV_ROOT:-$HOME/.pyenv}"/versions/"$version"*/bin/python; do
      if "$candidate" -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null; then
        printf '%s' "$candidate"
        return 0
      fi
    done
  done
  return 1
}

# environment NAME "VERSIONS" PACKAGE...: .conformance/NAME with these packages, or NAME.skipped with the reason.
environment() {
  local name="$1" versions="$2" folder="$HOME_DIR/$1" python
  shift 2
  [ "$(cat "$folder/.installed" 2>/dev/null)" = "$*" ] && return 0
  rm -rf "$folder" "$folder.skipped"
  # shellcheck disable=SC2086 - a list of versions
  if ! python=$(find_interpreter $versions); then
    echo "no Python ${versions// / or } here" >"$folder.skipped"
    return 0
  fi
  echo "making .conformance/$name ($*)"
  if "$python" -m venv "$folder" && "$folder/bin/python" -m pip install -q "$@" >"$folder.log" 2>&1; then
    printf '%s' "$*" >"$folder/.installed"
  else
    rm -rf "$folder"
    echo "$* could not be installed, see .conformance/$name.log" >"$folder.skipped"
  fi
}

prepare_venv requirements-dev.txt || exit 1
mkdir -p "$HOME_DIR"
echo '*' >"$HOME_DIR/.gitignore"
fetch_specs || true
environment fuzz "3.11 3.12 3.13" "$FUZZER" "$CRYPTOGRAPHY"
# It has no stream of its own: `python -m benchmarks tick_to_order --peers` gives it this one.
environment official "3.13" "$OFFICIAL" "$WEBSOCKETS"
environment sdk "3.12 3.13" "$SDK"
# For `python -m benchmarks book`, which compares itself with its order book.
[ "${#arguments[@]}" -gt 0 ] || environment nautilus "3.13 3.12" "$NAUTILUS"
exec "$PYTHON_BIN" -m conformance "$HOME_DIR" "${KALSHI_RECORDINGS:-../shared/data}" "${arguments[@]}"
