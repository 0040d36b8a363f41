#!/bin/bash
# Makes sure that the machine has what the tests need besides Python packages: real
# ZooKeeper, PostgreSQL and RabbitMQ servers, Node.js and a few tools. As root on Debian it
# installs what is missing; anybody else is told what to install. Called by `make test` and
# `make bench`; takes no time when everything is there.
set -euo pipefail

missing=()      # Debian packages to install
need() {        # need PACKAGE CONDITION...: note the package unless the condition holds
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing+=("$package")
}
has() { command -v "$1"; }
has_file() { compgen -G "$1"; }

need default-jre-headless has java
need zookeeper has_file '/usr/share/java/zookeeper.jar'
need postgresql has_file '/usr/lib/postgresql/*/bin/postgres'
need rabbitmq-server has_file '/usr/lib/rabbitmq/bin/rabbitmq-server'
need nodejs has node
need openssl has openssl
need util-linux has setpriv
need procps has pgrep

if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

install="apt-get install -y --no-install-recommends ${missing[*]}"
echo "Missing Debian packages: ${missing[*]}" >&2
if ! has apt-get >/dev/null; then
    echo "This is not a Debian system; install their equivalents." >&2
    exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
    echo "Install them as root:  apt-get update && $install" >&2
    exit 1
fi

# Packages start their own daemons on the well-known ports unless policy-rc.d forbids it.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -o DPkg::Lock::Timeout=600 update -q
apt-get -o DPkg::Lock::Timeout=600 ${install#apt-get }
