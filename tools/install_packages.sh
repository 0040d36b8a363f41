#!/bin/bash
# Makes sure that the machine has what Python packages cannot bring. As root on Debian it
# installs what is missing; anybody else is told what to install. Called by the Makefile;
# takes no time when everything is there.
#
#   tools/install_packages.sh run     Node.js, for functions written in it
#   tools/install_packages.sh test    that, and the servers and tools of the tests
set -euo pipefail

missing=()
need() {        # need PACKAGE CONDITION...: note the Debian package unless the condition holds
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}
has() { command -v "$1"; }
has_file() { compgen -G "$1"; }

need nodejs has node
if [ "${1:-test}" = test ]; then
    need default-jre-headless has_file /usr/bin/java
    need zookeeper has_file /usr/share/java/zookeeper.jar
    need postgresql has_file '/usr/lib/postgresql/*/bin/postgres'
    need redis-server has_file /usr/bin/redis-server
    need rabbitmq-server has_file /usr/lib/rabbitmq/bin/rabbitmq-server
    need docker-registry has docker-registry
    need openssl has openssl
    need util-linux has setpriv
    need procps has ps
    need git has git
    need shellcheck has shellcheck
fi
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

echo "Missing Debian packages: ${missing[*]}" >&2
if ! has apt-get >/dev/null; then
    echo "This is not a Debian system; install their equivalents." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Install them as root:  apt-get update &&" \
        "apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi

# Packages start their own daemons on the well-known ports unless policy-rc.d forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=600 update -q
apt-get -o DPkg::Lock::Timeout=600 install -q -y --no-install-recommends "${missing[@]}"
