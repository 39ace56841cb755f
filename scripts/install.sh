#!/usr/bin/env bash
# Builds the virtual environment $1 with the locked, hashed dependencies and this project in it.
# uv does it in seconds; where uv cannot be had, pip does the same more slowly.
set -euo pipefail
venv=${1:?usage: install.sh VENV}
python=${PYTHON:-python3}

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "pf-pipeline needs Python 3.11 or newer, and '$python' is not. Name one with: make install PYTHON=/path/to/python3.11" >&2
    exit 2
fi
if [ ! -x "$venv/bin/python" ]; then
    "$python" -m venv "$venv" || {
        echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv" >&2
        exit 2
    }
fi
echo "Installing into $venv ..."
if "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.lock; then
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --require-hashes -r requirements/dev.lock
    "$venv/bin/uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation -e .
else
    "$venv/bin/python" -m pip install --quiet --require-hashes -r requirements/dev.lock
    "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation -e .
fi
echo "Installed."
