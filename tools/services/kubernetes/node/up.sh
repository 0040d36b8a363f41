#!/bin/bash
# A real Kubernetes of one node, from nothing: fetches and builds what is missing, starts what is not
# running, waits until pods can be made. Idempotent. Needs root and Debian's apt.
#
# Everything runs in one private network and mount namespace, held by a `sleep`. The host sees one
# network link (ffk8s0), two routes through it (pods, services) and the kubepods control groups.
# HOME_DIR: caches (bin, debian, debs, src), kept; state (pki, conf, run, var, log), removed by down.sh.
set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")"); : "${HOME_DIR:?}"; . "$HERE/common.sh"
export HOME_DIR NODE=node1 NODE_IP=172.30.99.2 POD_NET=10.244.0.0/24 SERVICE_IP=10.96.0.1
HOST_IP=172.30.99.1 SERVICE_NET=10.96.0.0/16 PKI=$HOME_DIR/pki PYTHON=${PYTHON:-python3}
mkdir -p "$HOME_DIR"/{debs,debian,bin,pki,conf,log,run,var}; cd "$HOME_DIR"

# ---- what it is made of --------------------------------------------------------------------------
missing=
for package in iptables conntrack socat openssl libseccomp2 iproute2 nftables; do
  dpkg -s $package >/dev/null 2>&1 || missing="$missing $package"
done
if [ -n "$missing" ]; then
  say "installing$missing"
  apt-get install -y --no-install-recommends $missing > log/apt.log 2>&1 \
    || { apt-get update > log/apt.log 2>&1 && apt-get install -y --no-install-recommends $missing > log/apt.log 2>&1; }
fi
if [ ! -x debian/usr/bin/etcd ] || [ ! -x debian/usr/sbin/runc ] || [ ! -x debian/usr/bin/containerd ]; then
  say "fetching etcd, containerd, runc and the network plugins"
  for package in containerd runc containernetworking-plugins etcd-server; do
    (cd debs; ls ${package}_*.deb >/dev/null 2>&1 || private_apt download -qq $package; dpkg -x ${package}_*.deb ../debian)
  done
fi
"$HERE/build.sh"

# ---- the namespaces ------------------------------------------------------------------------------
if ! alive holder; then
  for file in run/*.pid; do
    name=$(basename "$file" .pid)
    if alive "$name" 2>/dev/null; then say "a part of an old cluster runs; starting anew"; "$HERE/down.sh"; exec "$0"; fi
  done
  rm -f run/*.pid
  # Private first, then shared: what is mounted shared on the host would leak out otherwise.
  setsid nohup unshare --mount --net --propagation private bash -c 'mount --make-rshared / && exec sleep infinity' \
    > log/holder.log 2>&1 < /dev/null &
  note holder $!
  until_ok 60 "the namespaces" grep -qx sleep "/proc/$(pid holder)/comm"
  mkdir -p var/{etcd,containerd,kubelet,cni,podlogs,ctrlogs,netns,runcontainerd,volplug} run/fake \
    /var/log/pods /var/log/containers /var/lib/cni /run/netns /run/containerd
  ip link del ffk8s0 2>/dev/null || true
  ip link add ffk8s0 type veth peer name eth0 netns "$(pid holder)"
  ip addr add $HOST_IP/30 dev ffk8s0; ip link set ffk8s0 up
  # kubelet would set these for the whole host; it gets files that already say what it wants.
  echo 1 > run/fake/overcommit; echo 10 > run/fake/panic; echo 1 > run/fake/oops
  inside bash -ec "
    ip link set lo up; ip addr add $NODE_IP/30 dev eth0; ip link set eth0 up; ip route add default via $HOST_IP
    echo 1 > /proc/sys/net/ipv4/ip_forward
    cd $HOME_DIR/var
    for m in podlogs:/var/log/pods ctrlogs:/var/log/containers cni:/var/lib/cni netns:/run/netns runcontainerd:/run/containerd; do
      mount --bind \${m%%:*} \${m#*:}; done
    cd $HOME_DIR/run/fake
    for m in overcommit:vm/overcommit_memory panic:kernel/panic oops:kernel/panic_on_oops; do
      mount --bind \${m%%:*} /proc/sys/\${m#*:}; done"
  ip route replace $POD_NET via $NODE_IP dev ffk8s0
  ip route replace $SERVICE_NET via $NODE_IP dev ffk8s0
fi
"$HERE/pki.sh"
"$HERE/config.sh"
export KUBECONFIG=$PKI/admin.conf
kubectl() { "$HOME_DIR/bin/kubectl" "$@"; }
start() { # name, command...
  local name=$1; shift
  alive "$name" && return 0
  setsid nohup nsenter --target "$(pid holder)" --mount --net -- \
    env -u KUBECONFIG PYTHONPATH="$HERE/../../../.." PATH="$HOME_DIR/debian/usr/bin:$HOME_DIR/debian/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin" \
    "$@" >> "log/$name.log" 2>&1 < /dev/null &
  note "$name" $!
}

# ---- the daemons ---------------------------------------------------------------------------------
start etcd "$HOME_DIR"/debian/usr/bin/etcd --name e --data-dir "$HOME_DIR/var/etcd" \
  --listen-client-urls https://127.0.0.1:2379 --advertise-client-urls https://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
  --initial-cluster e=http://127.0.0.1:2380 --unsafe-no-fsync \
  --cert-file "$PKI/etcd.crt" --key-file "$PKI/etcd.key" --trusted-ca-file "$PKI/ca.crt" --client-cert-auth \
  --logger zap --log-level warn
start containerd "$HOME_DIR/debian/usr/bin/containerd" --config "$HOME_DIR/conf/containerd.toml"
start kube-apiserver "$HOME_DIR"/bin/kube-apiserver --advertise-address=$NODE_IP --bind-address=0.0.0.0 --secure-port=6443 --insecure-port=0 \
  --etcd-servers=https://127.0.0.1:2379 --etcd-cafile="$PKI/ca.crt" --etcd-certfile="$PKI/etcd-client.crt" --etcd-keyfile="$PKI/etcd-client.key" \
  --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
  --authorization-mode=Node,RBAC --anonymous-auth=true --enable-admission-plugins=NodeRestriction --allow-privileged=true \
  --service-cluster-ip-range=$SERVICE_NET --service-account-issuer=https://kubernetes.default.svc \
  --service-account-key-file="$PKI/sa.pub" --service-account-signing-key-file="$PKI/sa.key" \
  --kubelet-client-certificate="$PKI/apiserver-kubelet.crt" --kubelet-client-key="$PKI/apiserver-kubelet.key" \
  --kubelet-certificate-authority="$PKI/ca.crt" --kubelet-preferred-address-types=InternalIP \
  --requestheader-client-ca-file="$PKI/front-proxy.crt" --requestheader-allowed-names=front-proxy-client \
  --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group --requestheader-extra-headers-prefix=X-Remote-Extra- \
  --proxy-client-cert-file="$PKI/front-proxy-client.crt" --proxy-client-key-file="$PKI/front-proxy-client.key" \
  --enable-aggregator-routing=true --profiling=false \
  --audit-log-path="$HOME_DIR/log/audit.log" --audit-policy-file="$HOME_DIR/conf/audit.yaml" --audit-log-maxsize=50 --audit-log-maxbackup=1
until_ok 120 "containerd answers" ctr version
if ! ctr images ls -q | grep -qx registry.local/pause:1; then
  "$PYTHON" "$HERE/pause_image.py" bin/pause "$RUN/pause.tar"
  ctr images import "$RUN/pause.tar" > /dev/null
fi
until_ok 300 "kube-apiserver is ready" kubectl get --raw /readyz
start kube-controller-manager "$HOME_DIR"/bin/kube-controller-manager --kubeconfig="$PKI/controller-manager.conf" \
  --authentication-kubeconfig="$PKI/controller-manager.conf" --authorization-kubeconfig="$PKI/controller-manager.conf" \
  --bind-address=127.0.0.1 --port=0 --leader-elect=false --use-service-account-credentials=true \
  --service-account-private-key-file="$PKI/sa.key" --root-ca-file="$PKI/ca.crt" --client-ca-file="$PKI/ca.crt" \
  --cluster-signing-cert-file="$PKI/ca.crt" --cluster-signing-key-file="$PKI/ca.key" --requestheader-client-ca-file="$PKI/front-proxy.crt" \
  --cluster-cidr=10.244.0.0/16 --service-cluster-ip-range=$SERVICE_NET --profiling=false \
  --node-monitor-period=2s --node-monitor-grace-period=12s
start kube-scheduler "$HOME_DIR"/bin/kube-scheduler --kubeconfig="$PKI/scheduler.conf" --authentication-kubeconfig="$PKI/scheduler.conf" \
  --authorization-kubeconfig="$PKI/scheduler.conf" --bind-address=127.0.0.1 --port=0 --leader-elect=false --profiling=false
# Debian has neither a network that enforces policies nor a cluster DNS.
kubectl get clusterrolebinding helpers > /dev/null 2>&1 \
  || kubectl create clusterrolebinding helpers --clusterrole=view --user=helpers > /dev/null
api=(https://$NODE_IP:6443 "$PKI/ca.crt" "$PKI/helpers.crt" "$PKI/helpers.key")
start policies "$PYTHON" -u -m tools.services.kubernetes.node.policies "${api[@]}"
start dns "$PYTHON" -u -m tools.services.kubernetes.node.dns "${api[@]}" $NODE_IP
start kubelet "$HOME_DIR"/bin/kubelet --config="$HOME_DIR/conf/kubelet.yaml" --kubeconfig="$PKI/kubelet.conf" --hostname-override=$NODE \
  --node-ip=$NODE_IP --root-dir="$HOME_DIR/var/kubelet" --cert-dir="$HOME_DIR/var/kubelet/pki" --container-runtime=remote \
  --container-runtime-endpoint="unix://$RUN/containerd.sock" --volume-plugin-dir="$HOME_DIR/var/volplug"
start kube-proxy "$HOME_DIR"/bin/kube-proxy --config="$HOME_DIR/conf/proxy.yaml"
is_ready() { kubectl get node $NODE -o jsonpath='{.status.conditions[?(@.type=="Ready")].status}' | grep -qx True; }
until_ok 300 "the node is ready" is_ready
until_ok 300 "there is a default service account" kubectl --namespace default get serviceaccount default
say "Kubernetes is up: KUBECONFIG=$KUBECONFIG"
