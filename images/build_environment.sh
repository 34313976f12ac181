#!/bin/sh
# Make the Python environment /opt/atelier from a lock and our own wheels: in the build stage of an image.
# Arguments: the lock; the folder of wheels. What is left out of it is never read when the image runs.
set -eu
lock=$1
wheels=$2
environment=/opt/atelier

apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
python3 -m venv /opt/installer
python3 -m venv --without-pip "$environment"
install() {
  /opt/installer/bin/pip --python "$environment/bin/python" install --quiet --no-cache-dir --no-deps \
    --disable-pip-version-check --root-user-action=ignore "$@"
}
# Byte code is written here: the file system of a running container is read-only.
install --compile --require-hashes -r "$lock"
install --compile --no-index "$wheels"/*.whl

cd "$environment/lib"/python3.*/site-packages
# Tests of libraries. numpy.testing imports one file of its tests: it keeps them.
for package in pandas scipy statsmodels matplotlib nbgrader; do
  [ -d "$package" ] && find "$package" -type d -name tests -prune -exec rm -rf {} +
done
# Sources of minified scripts: only a browser's developer tools ask for them.
find "$environment/share" . -name '*.js.map' -o -name '*.css.map' | xargs -r rm -f
