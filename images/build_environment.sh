#!/bin/sh
# The Python environment /opt/atelier, made in the build stage of an image, in two steps that are cached apart:
#   build_environment.sh locked <lock>    everything foreign, from a lock
#   build_environment.sh ours <folder>    wheels of our own packages
# What is left out here is never read when the image runs.
set -eu
environment=/opt/atelier

# Byte code is written here: the file system of a running container is read-only.
install() {
  /opt/installer/bin/pip --python "$environment/bin/python" install --quiet --no-cache-dir --no-deps --compile \
    --disable-pip-version-check --root-user-action=ignore "$@"
}

locked() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
  python3 -m venv /opt/installer
  python3 -m venv --without-pip "$environment"
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
