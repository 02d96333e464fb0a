# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of tap.sh
# A make-believe cluster on one machine, sourced after tap.sh: hosts that share the file system and have their
# network, their name and /dev/shm each for itself. Needs root and iproute2.
#
#   cluster_up 3                       hosts n0, n1, n2 on one switch; nothing is added to the machine's network
#   cluster_on n1 COMMAND...           replaces the calling (sub)shell
#   cluster_run ARGUMENT...            `ranksweep run` on n0, one rank a host in turn
#   cluster_cut n1; cluster_heal n1    its cable
#   cluster_crash n1                   its power: the cable first, so that no goodbye gets out
#   cluster_pids n1 [PATTERN]          its processes, those whose command line has the pattern
#
# The hosts end with the test: their holders are processes that `start` began, and all else is found by its
# network.
cluster=$tmp/cluster
cluster_holders=()

# Why there can't be one, or nothing
cluster_missing() {
    [ "$(id -u)" = 0 ] || { echo "needs root, for network name spaces"; return; }
    command -v ip >/dev/null || { echo "needs iproute2"; return; }
    unshare --net --uts --mount true 2>/dev/null || { echo "no new name spaces are allowed here"; return; }
    unshare --net ip link add type veth 2>/dev/null || { echo "this kernel has no veth"; return; }
    unshare --net ip link add type bridge 2>/dev/null || { echo "this kernel has no bridge"; return; }
}

cluster_apart() { # PID: it has a network of its own
    [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}

cluster_switch() {
    nsenter -t "${cluster_holders[-1]}" -n ip "$@"
}

cluster_plug() { # I: host number I, whose holder is running
    cluster_switch link add "p$1" type veth peer name eth0 netns "${cluster_holders[$1]}"
    cluster_switch link set "p$1" master br0 up
    nsenter -t "${cluster_holders[$1]}" -n sh -c "ip link set lo up; ip addr add 10.77.0.$(($1 + 1))/24 dev eth0; ip link set eth0 up"
}

cluster_up() { # N
    local i
    mkdir -p "$cluster"
    echo "127.0.0.1 localhost" >"$cluster/hosts"
    for ((i = 0; i < $1; i++)); do
        echo "10.77.0.$((i + 1)) n$i" >>"$cluster/hosts"
        echo "n$i slots=2" >>"$cluster/hostfile"
    done
    for ((i = 0; i < $1; i++)); do
        # shellcheck disable=SC2016
        start unshare --net --uts --mount sh -c 'hostname "$1" && mount --bind "$2/hosts" /etc/hosts &&
            mount -t tmpfs tmpfs /dev/shm && : >"$2/up.$1" && exec sleep infinity' sh "n$i" "$cluster"
        cluster_holders+=("$pid")
        wait_for 10 test -e "$cluster/up.n$i"
        echo "$pid" >"$cluster/n$i"
    done
    start unshare --net sleep infinity
    cluster_holders+=("$pid")
    wait_for 10 cluster_apart "$pid"
    cluster_switch link add br0 type bridge
    cluster_switch link set br0 up
    for ((i = 0; i < $1; i++)); do
        cluster_plug "$i"
    done
    # What mpirun runs instead of ssh. Like ssh it stays until the far side ends, and hears nothing of a crash.
    cat >"$cluster/agent" <<END
#!/bin/sh
host=\$1; shift
nsenter -t "\$(cat $cluster/\$host)" --net --uts --mount sh -c "cd '\$PWD'; \$*"
status=\$?
while [ -e $cluster/crashed.\$host ]; do sleep 0.2; done
exit \$status
END
    chmod +x "$cluster/agent"
    trap 'cluster_down; tap_finish' EXIT
}

cluster_on() {
    local holder
    holder=$(cat "$cluster/$1")
    shift
    exec nsenter -t "$holder" --net --uts --mount env --chdir="$PWD" "$@"
}

cluster_run() {
    cluster_on n0 HOSTNAME=n0 OMPI_MCA_orte_default_hostfile="$cluster/hostfile" OMPI_MCA_plm=rsh \
        OMPI_MCA_plm_rsh_agent="$cluster/agent" OMPI_MCA_oob_tcp_if_include=eth0 OMPI_MCA_btl_tcp_if_include=eth0 \
        OMPI_MCA_rmaps_base_mapping_policy=node "$rs" run "$@"
}

cluster_cut() {
    cluster_switch link set "p${1#n}" down
}

cluster_heal() {
    rm -f "$cluster/crashed.$1"
    cluster_switch link set "p${1#n}" up
}

cluster_pids() {
    local holder
    holder=$(cat "$cluster/$1")
    pgrep --ns "$holder" --nslist net -f -- "${2:-.}" | grep -vx "$holder"
    return 0
}

cluster_empty() { # HOST [PATTERN]
    [ -z "$(cluster_pids "$@")" ]
}

cluster_kill() { # HOST
    local pids
    # shellcheck disable=SC2086 # lists of numbers
    for _ in 1 2 3 4 5; do
        pids=$(cluster_pids "$1")
        [ -n "$pids" ] && kill -9 $pids 2>/dev/null
    done
    return 0
}

cluster_crash() {
    : >"$cluster/crashed.$1"
    cluster_cut "$1"
    cluster_kill "$1"
}

cluster_down() {
    local host
    rm -f "$cluster"/crashed.*
    for host in "$cluster"/up.*; do
        cluster_kill "${host##*/up.}"
    done
}
