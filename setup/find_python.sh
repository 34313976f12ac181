#!/bin/sh
# Print a Python that can make our virtual environment: 3.11 or newer, with venv and ensurepip.
# $PYTHON, if set, is the only one looked at; else the system's own comes before whatever PATH puts first.
set -u
good='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'
old='import sys; sys.exit(sys.version_info < (3, 11))'
bare=''

for python in ${PYTHON:-/usr/bin/python3 python3.11 python3.12 python3.13 python3}; do
  path=$(command -v "$python" 2>/dev/null) || continue
  if "$path" -c "$good" >/dev/null 2>&1; then
    echo "$path"
    exit 0
  fi
  if "$path" -c "$old" >/dev/null 2>&1; then bare=$path; fi
done

{
  if [ -n "$bare" ]; then
    echo "$bare cannot make virtual environments (its modules venv and ensurepip are missing)."
    echo "  Repair: apt-get install python3-venv"
  else
    found=$(command -v "${PYTHON:-python3}" 2>/dev/null) && found="found: $found, $("$found" -V 2>&1)"
    echo "Atelier needs Python 3.11 or newer (${found:-none found})."
    echo "  Repair: on Debian 12: apt-get install python3 python3-venv; elsewhere: make run PYTHON=/path/to/python3.11"
  fi
} >&2
exit 1
