# Shared by the scripts beside it; they set HOME_DIR (state and caches) and HERE (this folder).
# Pid files hold "PID STARTTIME": a pid used again is never taken for ours, a zombie counts as dead.
RUN=$HOME_DIR/run

started_at() {
  local stat
  { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
  stat=${stat##*) }
  set -- $stat
  [ "$1" != Z ] && echo "${20}"
}
note() { echo "$2 $(started_at "$2")" > "$RUN/$1.pid"; }
pid() { local pid; read -r pid _ 2>/dev/null < "$RUN/$1.pid" && echo "$pid"; }
alive() {
  local pid since
  [ -s "$RUN/$1.pid" ] && read -r pid since < "$RUN/$1.pid" && [ -n "$since" ] \
    && [ "$(started_at "$pid")" = "$since" ]
}

BEGAN=$(date +%s%N)
say() { printf '%6.1f s  %s\n' "$(( ($(date +%s%N) - BEGAN) / 100000000 ))e-1" "$*"; }
until_ok() { # seconds, what, command...
  local seconds=$1 what=$2; shift 2
  for ((i = 0; i < seconds * 5; i++)); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done
  echo "after $seconds s still not: $what" >&2
  return 1
}
inside() { nsenter --target "$(pid holder)" --mount --net -- "$@"; }
ctr() { inside "$HOME_DIR/debian/usr/bin/ctr" --address "$RUN/containerd.sock" --namespace k8s.io "$@"; }

# apt with the suite's own deb and deb-src lists, below HOME_DIR: the system's settings stay as they
# are. The mirror is the one that apt uses on this machine; DEBIAN_MIRROR overrides it.
mirror() {
  [ -n "${DEBIAN_MIRROR:-}" ] || DEBIAN_MIRROR=$(apt-get indextargets \
    --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' \
    | awk '$2 == "bookworm" && $3 == "main" {print $1; exit}')
  [ -n "$DEBIAN_MIRROR" ] || { echo "apt knows no mirror of bookworm main: set DEBIAN_MIRROR" >&2; exit 1; }
}
private_apt() {
  local apt=$HOME_DIR/apt
  if [ ! -s "$apt/ready" ]; then
    mirror
    mkdir -p "$apt"/{lists/partial,cache/archives/partial,sources.list.d}
    printf 'deb %s bookworm main\ndeb-src %s bookworm main\n' "$DEBIAN_MIRROR" "$DEBIAN_MIRROR" > "$apt/sources.list"
    cat > "$apt/apt.conf" <<C
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/sources.list.d";
Dir::State::lists "$apt/lists";
Dir::Cache "$apt/cache";
APT::Sandbox::User "root";
Acquire::Languages "none";
C
    APT_CONFIG=$apt/apt.conf apt-get update -qq && echo 1 > "$apt/ready"
  fi
  APT_CONFIG=$apt/apt.conf apt-get "$@"
}
