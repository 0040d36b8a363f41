#!/bin/bash
# Makes or refreshes the project's virtualenv. Called by the Makefile.
#
#   tools/make_venv.sh base     what funcflow needs on embedded defaults
#   tools/make_venv.sh test     that, every driver, and what the tests need
#
# Takes no time when nothing changed since: a stamp holds the hash of what was installed.
set -euo pipefail
cd "$(dirname "$0")/.."
set_name=${1:-base}
venv=.venv

say() { echo "==> $*" >&2; }
die() { echo "funcflow: $*" >&2; exit 1; }

find_python() {
    local name
    for name in ${PYTHON:-} python3 python3.11 python3.12 python3.13 python3.14; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    die "Python 3.11 or newer is missing; on Debian 12: apt-get install python3 python3-venv"
}

make_venv() {
    local python
    python=$(find_python)
    say "Making the virtualenv $venv with $("$python" --version)"
    rm -rf "$venv"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian keeps these modules in a package of their own.
        if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
            say "Installing the package python3-venv"
            apt-get -o DPkg::Lock::Timeout=600 update -q >&2
            DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 \
                install -q -y --no-install-recommends python3-venv >&2
        elif "$python" -m venv --without-pip "$venv" 2>/dev/null &&
            "$python" -m pip --python "$venv/bin/python" install -q pip 2>/dev/null; then
            return
        else
            rm -rf "$venv"
            die "Python's venv module is missing; as root: apt-get install python3-venv"
        fi
    fi
    "$python" -m venv "$venv"
}

"$venv/bin/python" -c 'import pip' 2>/dev/null || make_venv

case $set_name in
    base) what=(-e .) files=(requirements.txt setup.cfg) ;;
    test) what=(-e '.[barbican,keystone,kubernetes,notifications,postgresql,swift,zookeeper,gunicorn]' -r test-requirements.txt)
          files=(requirements.txt setup.cfg test-requirements.txt) ;;
    *) die "no such set: $set_name" ;;
esac
hash=$({ "$venv/bin/python" --version; pwd; cat setup.py pyproject.toml "${files[@]}"; } | sha256sum)
stamp=$venv/.installed-$set_name
if [ "$(cat "$stamp" 2>/dev/null)" = "$hash" ]; then
    exit 0
fi

# The version comes from git; where there is no checkout to ask, any will do.
git rev-parse --git-dir >/dev/null 2>&1 || export PBR_VERSION=${PBR_VERSION:-0.1.0}
say "Installing funcflow and the $set_name requirements into $venv; takes a minute or two"
# The build's own warnings are for packagers, not for who wants to run it.
PYTHONWARNINGS=ignore "$venv/bin/python" -m pip install -q --disable-pip-version-check "${what[@]}"
echo "$hash" >"$stamp"
