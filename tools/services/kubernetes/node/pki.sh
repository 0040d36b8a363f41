#!/bin/bash
# Keys, certificates and kubeconfigs of a cluster, in $HOME_DIR/pki; made once per cluster.
set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")"); : "${HOME_DIR:?}" "${NODE:?}" "${NODE_IP:?}" "${SERVICE_IP:?}"; . "$HERE/common.sh"
[ ! -e "$HOME_DIR/pki/done" ] || exit 0
mkdir -p "$HOME_DIR/pki"; cd "$HOME_DIR/pki"; rm -f ./*
umask 077

authority() { # name, subject
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" -keyout "$1.key" -out "$1.crt"
}
certificate() { # name, subject, usage, [alternative names], [authority]
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr"
  printf 'basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\nextendedKeyUsage=%s\n' "$3" > "$1.ext"
  [ -z "${4:-}" ] || echo "subjectAltName=$4" >> "$1.ext"
  openssl x509 -req -in "$1.csr" -CA "${5:-ca}.crt" -CAkey "${5:-ca}.key" -set_serial "0x$(openssl rand -hex 12)" \
    -days 3650 -extfile "$1.ext" -out "$1.crt"
  rm "$1.csr" "$1.ext"
}
{
  authority ca kubernetes-ca
  authority front-proxy front-proxy-ca
  certificate etcd /CN=etcd serverAuth,clientAuth IP:127.0.0.1
  certificate etcd-client /CN=kube-apiserver-etcd-client clientAuth
  certificate apiserver /CN=kube-apiserver serverAuth "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:$SERVICE_IP,IP:$NODE_IP,IP:127.0.0.1"
  certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client clientAuth
  certificate front-proxy-client /CN=front-proxy-client clientAuth "" front-proxy
  certificate admin /O=system:masters/CN=kubernetes-admin clientAuth
  certificate controller-manager /CN=system:kube-controller-manager clientAuth
  certificate scheduler /CN=system:kube-scheduler clientAuth
  certificate proxy /CN=system:kube-proxy clientAuth
  certificate helpers /CN=helpers clientAuth
  certificate kubelet "/O=system:nodes/CN=system:node:$NODE" clientAuth
  certificate kubelet-server "/CN=system:node:$NODE" serverAuth "DNS:$NODE,IP:$NODE_IP"
  openssl ecparam -name prime256v1 -genkey -noout -out sa.key
  openssl ec -in sa.key -pubout -out sa.pub
} 2> "$HOME_DIR/log/pki.log"
for user in admin controller-manager scheduler proxy kubelet; do
  cat > "$user.conf" <<K
apiVersion: v1
kind: Config
clusters: [{name: funcflow, cluster: {server: "https://$NODE_IP:6443", certificate-authority-data: $(base64 -w0 ca.crt)}}]
users: [{name: $user, user: {client-certificate-data: $(base64 -w0 "$user.crt"), client-key-data: $(base64 -w0 "$user.key")}}]
contexts: [{name: funcflow, context: {cluster: funcflow, user: $user}}]
current-context: funcflow
K
done
touch done
