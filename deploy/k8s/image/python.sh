#!/bin/sh
# Installs what the sidecar stands on into /image, exactly as locked, and cuts it down to what runs.
set -eu
site=/image/usr/local/lib/python3.13/dist-packages
if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_COMPILE=1
locked() {
  python3.13 -m pip install --quiet --no-deps --only-binary :all: --require-hashes --target "$1" --requirement "$2"
}

locked "$site" requirements.lock
locked /build/backend build.lock  # makes the sidecar's own wheel; the index is not asked again

rm -rf "$site/bin"
# sources and headers of extensions, types and tests
find "$site" \( -name '*.c' -o -name '*.cc' -o -name '*.h' -o -name '*.pxd' -o -name '*.pyx' -o -name '*.pyi' \
  -o -name '*.proto' -o -name '*.hash' -o -name '*.pxi' -o -name '*.mypy' \) -delete
find "$site" -type d \( -name tests -o -name include \) -prune -exec rm -rf {} +
# how it was installed, which is nobody's business any more; what it is and under which licence stays
find "$site" -path '*.dist-info/*' \( -name RECORD -o -name INSTALLER -o -name REQUESTED -o -name direct_url.json \) -delete
# the symbols of extensions weigh more than their code
find "$site" -name '*.so' -exec strip --strip-unneeded {} +
