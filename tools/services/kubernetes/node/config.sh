#!/bin/bash
# Configuration files of the daemons, in $HOME_DIR/conf.
set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")"); : "${HOME_DIR:?}" "${NODE:?}" "${NODE_IP:?}" "${POD_NET:?}"; . "$HERE/common.sh"
PKI=$HOME_DIR/pki
mkdir -p "$HOME_DIR/conf/cni"; cd "$HOME_DIR/conf"

cat > containerd.toml <<K
version = 2
root = "$HOME_DIR/var/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "$RUN/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$HOME_DIR/var/opt-containerd"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.local/pause:1"
  stream_server_address = "127.0.0.1"
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE runc dies when it is asked to lower a score.
  restrict_oom_score_adj = true
  # Registries of tests, which have no TLS: looked up at each pull.
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$HOME_DIR/conf/certs.d"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$HOME_DIR/debian/usr/lib/cni"
    conf_dir = "$HOME_DIR/conf/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "$HOME_DIR/debian/usr/sbin/runc"
        SystemdCgroup = false
    # Stands for gVisor and Kata, which there are not: the same program, as a handler of its own,
    # that writes down what it was asked.
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other.options]
        BinaryName = "$HOME_DIR/conf/other-runtime"
        SystemdCgroup = false
K
cat > other-runtime <<K
#!/bin/bash
echo "\$*" >> "$HOME_DIR/log/other-runtime.log"
exec "$HOME_DIR/debian/usr/sbin/runc" "\$@"
K
chmod 755 other-runtime
cat > cni/10-pods.conflist <<K
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true, "ipMasq": false,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$POD_NET"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}]}
K
cat > audit.yaml <<'K'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: None, verbs: [get, list, watch]}
- {level: None, resources: [{group: coordination.k8s.io}, {group: "", resources: [events]}]}
- {level: Metadata}
K
: > resolv.conf
cat > kubelet.yaml <<K
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
readOnlyPort: 0
healthzBindAddress: 127.0.0.1
tlsCertFile: $PKI/kubelet-server.crt
tlsPrivateKeyFile: $PKI/kubelet-server.key
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $PKI/ca.crt}}
authorization: {mode: Webhook}
cgroupDriver: cgroupfs
cgroupsPerQOS: true
enforceNodeAllocatable: [pods]
protectKernelDefaults: false
failSwapOn: false
resolvConf: $HOME_DIR/conf/resolv.conf
clusterDomain: cluster.local
clusterDNS: [$NODE_IP]
evictionHard: {memory.available: 200Mi, nodefs.available: 2%, nodefs.inodesFree: 2%, imagefs.available: 2%}
evictionPressureTransitionPeriod: 5s
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
volumePluginDir: $HOME_DIR/var/volplug
maxPods: 100
podPidsLimit: 256
volumeStatsAggPeriod: 5s
nodeStatusUpdateFrequency: 2s
nodeLeaseDurationSeconds: 8
K
# kube-proxy watches its file and ends when it is written again.
alive kube-proxy || cat > proxy.yaml <<K
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
bindAddress: $NODE_IP
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
hostnameOverride: $NODE
clientConnection: {kubeconfig: $PKI/proxy.conf}
clusterCIDR: 10.244.0.0/16
mode: iptables
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 100ms, syncPeriod: 30s}
K
