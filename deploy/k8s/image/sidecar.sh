#!/bin/sh
# Installs the sidecar and its rules into /image, and makes all of Python's bytecode there.
set -eu
site=/image/usr/local/lib/python3.13/dist-packages
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_COMPILE=1 PIP_NO_INDEX=1

PYTHONPATH=/build/backend python3.13 -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir wheel ./source
python3.13 -m pip install --quiet --no-deps --target unpacked wheel/*.whl
mkdir -p /image/usr/local/bin
mv unpacked/bin/sidecar /image/usr/local/bin/
rm -rf unpacked/bin unpacked/*.dist-info/RECORD unpacked/*.dist-info/INSTALLER unpacked/*.dist-info/REQUESTED \
  unpacked/*.dist-info/direct_url.json
# emulated providers are for tests and demonstrations
rm -rf unpacked/sidecar/lab
cp -R unpacked/. "$site/"

# where pods have their volumes mounted, whose places a read-only root must have already
mkdir -p /image/etc/agent-sidecar/config /image/etc/agent-sidecar/extra-ca /image/run/agent-sidecar/keys \
  /image/run/agent-sidecar/trust
cp redirect.nft egress-lock.nft /image/etc/agent-sidecar/

# Made here, since nothing can be written where it runs; and taken as it is, which spares a look at every source.
python3.13 -m compileall -q -j 0 -f --invalidation-mode unchecked-hash -s /image -p / \
  /image/usr/lib/python3.13 "$site"

chmod -R u+rwX,go=rX /image
# the same sources are to give the same image
find /image -exec touch --no-dereference --date "@$SOURCE_DATE_EPOCH" {} +
