#!/bin/bash
# Ends the cluster of up.sh and removes its state; what was built and fetched stays.
set -uo pipefail
HERE=$(dirname "$(readlink -f "$0")"); : "${HOME_DIR:?}"; . "$HERE/common.sh"
cd "$HOME_DIR" || exit 1

stop() { # name, signal
  alive "$1" || return 0
  local pid; pid=$(pid "$1")
  kill -CONT "$pid"; kill "${2:--TERM}" "$pid"
  for ((i = 0; i < 100; i++)); do alive "$1" || return 0; sleep 0.05; done
  kill -KILL "$pid"
}
for name in policies dns kubelet kube-proxy kube-scheduler kube-controller-manager; do stop $name -KILL; done
if alive containerd; then
  { for task in $(ctr tasks ls -q); do ctr tasks kill --all --signal SIGKILL "$task"; done
    sleep 0.5
    for task in $(ctr tasks ls -q); do ctr tasks rm --force "$task"; done; } >/dev/null 2>&1
fi
stop containerd -KILL
# Shims are ours if their address is our socket.
for process in /proc/[0-9]*; do
  { tr '\0' ' ' < "$process/cmdline"; } 2>/dev/null \
    | grep -q "^$HOME_DIR/[a-z]*/usr/bin/containerd-shim-runc-v2 .*-address $RUN/containerd.sock" \
    && kill -KILL "${process#/proc/}"
done
stop kube-apiserver -KILL; stop etcd; stop holder -KILL
ip link del ffk8s0 2>/dev/null
for groups in /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods; do
  [ -d "$groups" ] && find "$groups" -depth -type d -exec rmdir {} \; 2>/dev/null
done
rm -rf var run log pki conf
say "down"
