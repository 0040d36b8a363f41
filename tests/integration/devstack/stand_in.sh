#!/bin/bash
# Stands in for stack.sh, unstack.sh and clean.sh: the functions of DevStack that a plugin calls,
# on a root folder of a test's own, and one phase of the plugin.
#
#   stand_in.sh PHASE...        such as `stack install`
#
# What is about files, databases, Keystone and processes is done; what would change the machine is
# written down in $ROOT/calls. From the environment: ROOT, DEST, what local.conf would say, and PG…
# of a PostgreSQL, which stands for `sudo -u postgres`.
#
# shellcheck disable=SC1091,SC2034
set -eo pipefail

function note { echo "$*" >>"$ROOT/calls"; }

# -- settings of stackrc and localrc ------------------------------------------------------------

DATA_DIR=$ROOT/data
STACK_USER=$(id -un)
SERVICE_PROTOCOL=http
SERVICE_HOST=127.0.0.1
HOST_IP=127.0.0.1
SERVICE_DOMAIN_NAME=Default
SERVICE_PROJECT_NAME=service
REGION_NAME=RegionOne

# -- functions-common, inc/, lib/ ---------------------------------------------------------------

function define_plugin { :; }
function echo_summary { echo "$*"; }
function die { shift; echo "ERROR: $*" >&2; exit 1; }
function is_ubuntu { true; }

function enable_service {
    local service
    for service in "$@"; do
        ENABLED_SERVICES+=",$service"
    done
}

function is_service_enabled {
    local service
    for service in "$@"; do
        if [[ ,$ENABLED_SERVICES, =~ ,$service, ]]; then
            return 0
        fi
        if type "is_${service}_enabled" >/dev/null 2>&1 && "is_${service}_enabled"; then
            return 0
        fi
    done
    return 1
}

function iniset { # file section option value
    python - "$@" <<'END'
import configparser, sys
name, section, option, value = sys.argv[1:]
config = configparser.RawConfigParser()
config.read(name)
if section != "DEFAULT" and not config.has_section(section):
    config.add_section(section)
config.set(section, option, value)
with open(name, "w") as file:
    config.write(file)
END
}

function install_package { note install_package "$@"; }
function start_service { note start_service "$@"; }
function setup_develop { note setup_develop "$@"; }
function pip_install { note pip_install "$@"; }
function sysctl { note sysctl "$@"; }
function get_python_exec_prefix { dirname "$(command -v funcflow)"; }
function get_transport_url { echo "rabbit://stackrabbit:$SERVICE_PASSWORD@$SERVICE_HOST:5672/"; }

function get_or_add_user_project_role { # role user project
    openstack --os-cloud devstack-admin role add --user "$2" --project "$3" "$1"
}

# Of the machine's own folders only copies in ours are touched, and nobody else is become.
function sudo {
    if [[ "$1" == -u ]]; then
        shift 2
    fi
    local words=("${@/#\/etc\//$ROOT/etc/}")
    mkdir -p "$ROOT/etc/sysctl.d"
    "${words[@]}"
}

function run_process { # name command
    note run_process "$@"
    # shellcheck disable=SC2086
    setsid $2 >"$ROOT/$1.log" 2>&1 </dev/null &
    echo $! >"$ROOT/$1.pid"
}

function stop_process { # name
    note stop_process "$@"
    local pid
    pid=$(cat "$ROOT/$1.pid")
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do
        sleep 0.1
    done
}

function test_with_retry { # command message seconds pause
    timeout "$3" sh -c "while ! $1; do sleep $4; done" || die 0 "$2"
}

# -- as stack.sh reads a plugin -----------------------------------------------------------------

source "$DEST/funcflow/devstack/settings"
source "$DEST/funcflow/devstack/plugin.sh" "$@"
