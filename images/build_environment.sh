#!/bin/sh
# The Python environment /opt/atelier, made in the build stage of an image, in three steps that are cached apart:
#   build_environment.sh installer <lock>  what installs; the same for all images
#   build_environment.sh locked <lock>     everything foreign, from a lock
#   build_environment.sh ours <folder>     wheels of our own packages
# What is left out here is never read when the image runs.
set -eu
environment=/opt/atelier
python=$environment/bin/python
tools=/opt/installer/bin

installer() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  python3 -m venv /opt/installer
  with_pip "$tools/python" --require-hashes -r "$1"
  python3 -m venv --without-pip "$environment"
}

# Byte code is written here: the file system of a running container is read-only. uv is several times as quick as pip
# and does not read pip's configuration: where only that knows the way to a mirror, pip installs the same lock, and
# anew what uv had installed without having come to the byte code.
install() {
  UV_COMPILE_BYTECODE_TIMEOUT=600 "$tools/uv" pip install --python "$python" --quiet --no-cache --no-deps --no-build \
    --compile-bytecode --system-certs "$@" || {
    echo "uv could not; trying pip …" >&2
    with_pip "$python" --compile --force-reinstall "$@"
  }
}

# Neither builds a package: build tools have no hashes here.
with_pip() {
  into=$1
  shift
  "$tools/pip" --python "$into" install --quiet --no-cache-dir --no-deps --only-binary :all: \
    --disable-pip-version-check --root-user-action=ignore "$@"
}

locked() {
  install --require-hashes -r "$1"
  cd "$environment/lib"/python3.*/site-packages
  # Tests of libraries. numpy.testing imports one file of its tests: it keeps them.
  for package in pandas scipy statsmodels matplotlib nbgrader; do
    [ ! -d "$package" ] || find "$package" -type d -name tests -prune -exec rm -rf {} +
  done
  # Sources of minified scripts: only a browser's developer tools ask for them.
  find "$environment/share" . \( -name '*.js.map' -o -name '*.css.map' \) -delete
}

ours() {
  install --no-index "$1"/*.whl
}

"$@"
