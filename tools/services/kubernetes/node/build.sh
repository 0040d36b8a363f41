#!/bin/bash
# Builds Kubernetes from Debian's source package, offline, once; HOME_DIR/bin keeps the programs.
set -euo pipefail
HERE=$(dirname "$(readlink -f "$0")"); : "${HOME_DIR:?}"; . "$HERE/common.sh"
VERSION=1.20.2 SOURCE=1.20.5+really1.20.2-1.1+deb12u1
# One program for the five daemons: a third of the size and time of five.
DAEMONS="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy"
BUILT="hyper kubectl pause"

missing=
for name in $BUILT; do [ -x "$HOME_DIR/bin/$name" ] || missing=1; done
[ -n "$missing" ] || exit 0

mkdir -p "$HOME_DIR"/{bin,src,debs,tool}
cd "$HOME_DIR"
# Every step can be interrupted: what is half done is done again.
if [ ! -e tool/.unpacked ]; then
  say "fetching the Go compiler"
  for package in golang-1.19-go golang-1.19-src; do
    ls debs/${package}_*.deb >/dev/null 2>&1 || (cd debs && private_apt download -qq $package)
    dpkg -x debs/${package}_*.deb tool
  done
  touch tool/.unpacked
fi
export PATH=$HOME_DIR/tool/usr/lib/go-1.19/bin:$PATH GOTOOLCHAIN=local GOPROXY=off GOFLAGS= CGO_ENABLED=0
export GOPATH=$HOME_DIR/src/gopath GOCACHE=$HOME_DIR/gocache GO111MODULE=off
TREE=$GOPATH/src/k8s.io/kubernetes

if [ ! -x bin/pause ]; then
  go build -trimpath -ldflags "-s -w" -o bin/pause "$HERE/pause.go"
fi
if [ ! -e "$TREE/.unpacked" ]; then
  say "fetching the source of Kubernetes $VERSION"
  archive=src/kubernetes_${SOURCE%%-*}.orig.tar.gz
  [ -s "$archive" ] || (cd src && private_apt source -qq --download-only "kubernetes=$SOURCE")
  rm -rf "$TREE"; mkdir -p "$TREE"
  tar xzf "$archive" -C "$TREE" --strip-components=1
  touch "$TREE/.unpacked"
fi
cd "$TREE"
if [ ! -s pkg/generated/openapi/zz_generated.openapi.go ]; then   # upstream's make generates it
  say "generating code"
  go build -o "$HOME_DIR/bin/openapi-gen" k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen
  folders=$( (grep -rl --include='*.go' '+k8s:openapi-gen=' cmd pkg plugin 2>/dev/null
      cd staging/src && grep -rl --include='*.go' '+k8s:openapi-gen=' k8s.io | sed 's#^#vendor/#') \
    | grep -v -e '^vendor/k8s.io/code-generator/' -e '^vendor/k8s.io/sample-apiserver/' -e zz_generated -e '_test.go$' \
    | xargs -n1 dirname | LC_ALL=C sort -u | sed 's#^#k8s.io/kubernetes/#' | paste -sd,)
  "$HOME_DIR/bin/openapi-gen" --logtostderr -i "$folders" -p k8s.io/kubernetes/pkg/generated/openapi \
    -O zz_generated.openapi -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
    -r "$HOME_DIR/src/violations.report" --output-base "$GOPATH/src"
fi
mkdir -p cmd/hyper
cmp -s "$HERE/hyper.go" cmd/hyper/main.go || cp "$HERE/hyper.go" cmd/hyper/main.go
# A deleted pod is gone after 1 or 2 seconds in place of 10, which tests would wait for.
sed -i 's/^const syncPeriod = 10 \* time.Second/const syncPeriod = 1 * time.Second/' pkg/kubelet/status/status_manager.go
flags="-s -w"
for package in client-go/pkg/version component-base/version; do
  package=k8s.io/kubernetes/vendor/k8s.io/$package
  flags="$flags -X $package.gitVersion=v$VERSION -X $package.gitMajor=1 -X $package.gitMinor=20 -X $package.gitTreeState=clean"
done
for name in hyper kubectl; do
  [ -x "$HOME_DIR/bin/$name" ] && continue
  say "building $name (hyper takes minutes)"
  nice -n 5 go build -trimpath -tags "providerless dockerless" -ldflags "$flags" -o "$HOME_DIR/bin/$name.new" "k8s.io/kubernetes/cmd/$name"
  mv "$HOME_DIR/bin/$name.new" "$HOME_DIR/bin/$name"
done
for name in $DAEMONS; do ln -sf hyper "$HOME_DIR/bin/$name"; done
say "built"
