#!/bin/bash
# Deploys a function, calls it, has a clock run it once more, and takes it away.
# Called by plugin.sh at the end of stack.sh; by hand, with OS_CLOUD or openrc, at any time.
set -euo pipefail

export PYTHONWARNINGS=ignore
folder=$(mktemp -d)
name=smoke-$$
function leave {
    funcflow trigger delete "$name" >/dev/null 2>&1 || true
    funcflow function delete "$name" >/dev/null 2>&1 || true
    rm -rf "$folder"
}
trap leave EXIT

# expect WANTED COMMAND...: try for a minute whether the command prints it
function expect {
    local wanted=$1 said=""
    shift
    for _ in $(seq 60); do
        if said=$("$@" 2>&1) && grep -q -- "$wanted" <<<"$said"; then
            return
        fi
        sleep 1
    done
    echo "smoke test: '$*' did not print '$wanted' but: $said" >&2
    exit 1
}

cat >"$folder/hello.py" <<'END'
def main(name="world"):
    return f"Hello, {name}!"
END
funcflow function create "$name" --file "$folder/hello.py" --timeout 30 >/dev/null
expect 'Hello, DevStack!' funcflow invoke "$name" --input '{"name": "DevStack"}'

funcflow trigger create "$name" --source interval --option seconds=1 --option count=1 \
    --function "$name" --input '{}' >/dev/null
expect fired funcflow trigger firing list "$name"

echo "smoke test: funcflow works"
