# DevStack's plugin of funcflow.
#
# stack.sh, unstack.sh and clean.sh source it with the phase they are in:
#
#   stack pre-install    packages of the system: PostgreSQL, ZooKeeper, Node.js
#   stack install        funcflow into DevStack's virtualenv, and its actions beside Mistral
#   stack post-config    the service in Keystone, funcflow.conf, the database
#   stack extra          the processes
#   stack test-config    a function that is deployed and run
#   unstack, clean       the way back
#
# shellcheck shell=bash

_XTRACE_FUNCFLOW=$(set +o | grep xtrace)
set +o xtrace

_FUNCFLOW_SERVICES=(funcflow-conductor funcflow-api funcflow-events)
# What is added to the unit that run_process makes for the conductor.
_FUNCFLOW_UNIT=/etc/systemd/system/devstack@funcflow-conductor.service.d

# `is_service_enabled funcflow` asks this.
function is_funcflow_enabled {
    [[ ,${ENABLED_SERVICES} =~ ,"funcflow-" ]]
}

function _funcflow_bin {
    echo "$(get_python_exec_prefix)/$1"
}

function _funcflow_set {
    iniset "$FUNCFLOW_CONF_FILE" "$@"
}

function _funcflow_url {
    echo "$FUNCFLOW_SERVICE_PROTOCOL://$FUNCFLOW_SERVICE_HOST:$FUNCFLOW_SERVICE_PORT"
}

# Behind tls-proxy the API listens one port further, on loopback.
function _funcflow_port {
    if is_service_enabled tls-proxy; then
        echo $((FUNCFLOW_SERVICE_PORT + 10000))
    else
        echo "$FUNCFLOW_SERVICE_PORT"
    fi
}

function _funcflow_wants_postgresql {
    [[ -z "$FUNCFLOW_DB_URL" ]]
}

function _funcflow_wants_zookeeper {
    [[ -z "$FUNCFLOW_ZOOKEEPER_HOSTS" ]]
}

function _funcflow_psql {
    sudo -u postgres psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --dbname postgres --command "$1"
}

# -- stack pre-install --------------------------------------------------------------------------

function pre_install_funcflow {
    install_package nodejs
    if ! is_ubuntu && { _funcflow_wants_postgresql || _funcflow_wants_zookeeper; }; then
        die $LINENO "Set FUNCFLOW_DB_URL and FUNCFLOW_ZOOKEEPER_HOSTS: no packages of them here."
    fi
    if _funcflow_wants_postgresql; then
        install_package postgresql
        start_service postgresql
    fi
    if _funcflow_wants_zookeeper; then
        install_package zookeeperd
        start_service zookeeper
    fi
    if [[ "$FUNCFLOW_SANDBOX" == process ]]; then
        allow_funcflow_namespaces
    fi
}

# The walls of a sandbox are made of user namespaces, which distributions close in different ways.
function allow_funcflow_namespaces {
    local name
    for name in kernel.apparmor_restrict_unprivileged_userns=0 kernel.unprivileged_userns_clone=1; do
        local file=${name%=*}
        if [[ -e "/proc/sys/${file//.//}" ]]; then
            echo "$name" | sudo tee -a /etc/sysctl.d/60-funcflow.conf >/dev/null
            sudo sysctl --quiet --write "$name"
        fi
    done
}

# -- stack install ------------------------------------------------------------------------------

function install_funcflow {
    local extras=openstack,postgresql,zookeeper,gunicorn,keystone,notifications,swift
    if [[ "$FUNCFLOW_SANDBOX" == kubernetes ]]; then
        extras+=,kubernetes
    fi
    if is_service_enabled barbican; then
        extras+=,barbican
    fi
    setup_develop "$FUNCFLOW_DIR" "$extras"
    if is_service_enabled mistral; then
        # Mistral lives in the same virtualenv, and finds the actions when it starts.
        pip_install "$FUNCFLOW_DIR/mistral_actions"
    fi
}

# -- stack post-config --------------------------------------------------------------------------

# The service, its endpoints, roles and user in Keystone. What this prints is where the
# configuration begins: [api] auth and [keystone_authtoken].
function create_funcflow_accounts {
    sudo install -d -o "$STACK_USER" -m 750 "$FUNCFLOW_CONF_DIR" "$FUNCFLOW_DATA_DIR"
    (
        umask 077
        "$(_funcflow_bin funcflow)" --os-cloud "$FUNCFLOW_ADMIN_CLOUD" bootstrap-keystone \
            --public-url "$(_funcflow_url)" --region "$REGION_NAME" --user funcflow \
            --user-password "$SERVICE_PASSWORD" --project "$SERVICE_PROJECT_NAME" \
            >"$FUNCFLOW_CONF_FILE"
    )
    # A container of its own in Swift, and workers' identities, take a role that is let in there.
    get_or_add_user_project_role member funcflow "$SERVICE_PROJECT_NAME"
}

function configure_funcflow {
    _funcflow_set DEFAULT data_dir "$FUNCFLOW_DATA_DIR"
    _funcflow_set DEFAULT secret "$(openssl rand -base64 32)"
    _funcflow_set api port "$(_funcflow_port)"
    _funcflow_set api host "$FUNCFLOW_LISTEN_ADDRESS"
    if [[ -n "${SSL_BUNDLE_FILE:-}" ]]; then
        _funcflow_set keystone_authtoken cafile "$SSL_BUNDLE_FILE"
    fi
    _funcflow_set database url "$(_funcflow_db_url)"
    _funcflow_set jobboard driver zookeeper
    _funcflow_set jobboard hosts "${FUNCFLOW_ZOOKEEPER_HOSTS:-127.0.0.1:2181}"
    _funcflow_set jobboard path "$FUNCFLOW_ZOOKEEPER_PATH"
    _funcflow_set conductor host "$HOST_IP"
    configure_funcflow_secrets
    configure_funcflow_sandbox
    configure_funcflow_cloud
}

function _funcflow_db_url {
    local login="$FUNCFLOW_DB_USER:$DATABASE_PASSWORD"
    local ours="postgresql+psycopg://$login@$FUNCFLOW_DB_HOST/$FUNCFLOW_DB_NAME"
    echo "${FUNCFLOW_DB_URL:-$ours}"
}

# The key that seals projects' secrets; kept over a second stack.sh, as the rows it sealed may be.
function configure_funcflow_secrets {
    local key="$FUNCFLOW_CONF_DIR/secrets.key"
    if [[ ! -e "$key" ]]; then
        (umask 077 && openssl rand -base64 32 >"$key")
    fi
    _funcflow_set secrets key_files "$key"
    if is_service_enabled barbican; then
        _funcflow_set secrets barbican true
        _funcflow_set key_manager auth_type keystone_password
        _funcflow_set key_manager auth_url "$KEYSTONE_SERVICE_URI/v3"
        _funcflow_set key_manager username funcflow
        _funcflow_set key_manager password "$SERVICE_PASSWORD"
        _funcflow_set key_manager project_name "$SERVICE_PROJECT_NAME"
        _funcflow_set key_manager user_domain_name "$SERVICE_DOMAIN_NAME"
        _funcflow_set key_manager project_domain_name "$SERVICE_DOMAIN_NAME"
        _funcflow_set barbican auth_endpoint "$KEYSTONE_SERVICE_URI/v3"
    fi
}

function configure_funcflow_sandbox {
    _funcflow_set sandbox driver "$FUNCFLOW_SANDBOX"
    if [[ "$FUNCFLOW_SANDBOX" == process ]]; then
        # Control groups of their own for sandboxes, as the unit of a real installation has it.
        sudo install -d "$_FUNCFLOW_UNIT"
        printf '[Service]\nDelegate=yes\nKillMode=mixed\n' |
            sudo tee "$_FUNCFLOW_UNIT/delegate.conf" >/dev/null
        return
    fi
    _funcflow_set kubernetes kubeconfig "$FUNCFLOW_KUBECONFIG"
    _funcflow_set kubernetes conductor_networks "$HOST_IP/32"
    if [[ -n "$FUNCFLOW_IMAGES" ]]; then
        _funcflow_set kubernetes images "$FUNCFLOW_IMAGES"
    fi
    if [[ -n "$FUNCFLOW_AGENT_IMAGE" ]]; then
        _funcflow_set kubernetes agent_image "$FUNCFLOW_AGENT_IMAGE"
    fi
}

# What of the cloud there is: Swift for packages and buckets, RabbitMQ for notifications, Mistral.
function configure_funcflow_cloud {
    _funcflow_set openstack auth_section keystone_authtoken
    _funcflow_set openstack region_name "$REGION_NAME"
    if is_service_enabled s-proxy || is_service_enabled swift; then
        _funcflow_set swift auth_section keystone_authtoken
        _funcflow_set swift region_name "$REGION_NAME"
        _funcflow_set compositions buckets swift
    else
        _funcflow_set store path "$FUNCFLOW_DATA_DIR/packages"
    fi
    if is_service_enabled rabbit; then
        _funcflow_set notifications transport_url "$(get_transport_url)"
    fi
    if is_service_enabled mistral; then
        _funcflow_set mistral url "$MISTRAL_SERVICE_PROTOCOL://$MISTRAL_SERVICE_HOST:${MISTRAL_SERVICE_PORT:-8989}"
    fi
}

function init_funcflow {
    if _funcflow_wants_postgresql; then
        drop_funcflow_database
        _funcflow_psql "CREATE ROLE \"$FUNCFLOW_DB_USER\" LOGIN PASSWORD '$DATABASE_PASSWORD'"
        _funcflow_psql "CREATE DATABASE \"$FUNCFLOW_DB_NAME\" OWNER \"$FUNCFLOW_DB_USER\""
    fi
    "$(_funcflow_bin funcflow)" db upgrade --config-file "$FUNCFLOW_CONF_FILE"
}

function drop_funcflow_database {
    _funcflow_psql "DROP DATABASE IF EXISTS \"$FUNCFLOW_DB_NAME\" WITH (FORCE)"
    _funcflow_psql "DROP ROLE IF EXISTS \"$FUNCFLOW_DB_USER\""
}

# -- stack extra --------------------------------------------------------------------------------

function start_funcflow {
    local service
    for service in "${_FUNCFLOW_SERVICES[@]}"; do
        run_process "$service" "$(_funcflow_bin "$service") --config-file $FUNCFLOW_CONF_FILE"
    done
    if is_service_enabled tls-proxy; then
        start_tls_proxy funcflow '*' "$FUNCFLOW_SERVICE_PORT" \
            127.0.0.1 "$(_funcflow_port)"
    fi
    # /readyz: a conductor is there, and database and jobboard answer.
    test_with_retry "curl --fail --insecure --noproxy '*' --silent --output /dev/null \
        $(_funcflow_url)/readyz" \
        "funcflow did not start: see journalctl --unit 'devstack@funcflow-*'" \
        "${SERVICE_TIMEOUT:-60}" 1
}

# -- unstack, clean -----------------------------------------------------------------------------

function stop_funcflow {
    local service
    for service in "${_FUNCFLOW_SERVICES[@]}"; do
        stop_process "$service"
    done
}

function cleanup_funcflow {
    if _funcflow_wants_postgresql; then
        drop_funcflow_database
    fi
    sudo rm -rf "$FUNCFLOW_CONF_DIR" "$FUNCFLOW_DATA_DIR" "$_FUNCFLOW_UNIT" \
        /etc/sysctl.d/60-funcflow.conf
}

# -- phases -------------------------------------------------------------------------------------

if is_service_enabled funcflow; then
    case "$1 ${2:-}" in
        "stack pre-install")
            echo_summary "Installing what funcflow needs"
            pre_install_funcflow
            ;;
        "stack install")
            echo_summary "Installing funcflow"
            install_funcflow
            ;;
        "stack post-config")
            echo_summary "Configuring funcflow"
            create_funcflow_accounts
            configure_funcflow
            init_funcflow
            ;;
        "stack extra")
            echo_summary "Starting funcflow"
            start_funcflow
            ;;
        "stack test-config")
            if [[ "$FUNCFLOW_SMOKE_TEST" == True ]]; then
                echo_summary "Trying funcflow out"
                PATH="$(get_python_exec_prefix):$PATH" OS_CLOUD=$FUNCFLOW_USER_CLOUD \
                    "$FUNCFLOW_DIR/devstack/smoke.sh"
            fi
            ;;
        "unstack "*)
            stop_funcflow
            ;;
        "clean "*)
            cleanup_funcflow
            ;;
    esac
fi

$_XTRACE_FUNCFLOW
