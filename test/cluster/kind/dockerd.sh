#!/bin/bash
# dockerd.sh RUN_FOLDER DATA_FOLDER RUNTIME: a Docker daemon in the network, pid and mount namespaces that this script
# is started in. What it writes outside of its two folders it writes into memory, and the network is sealed: packets
# reach this machine and the containers, anything else is refused at once.
set -euo pipefail
run=$1 data=$2 runtime=$3

# Also hides the machine's own containerd, which dockerd would use if it saw its socket.
mount -t tmpfs tmpfs /run
# dockerd makes /etc/docker, and the node's mount makes /lib/modules where there is none.
for folder in /etc /usr/lib; do
  mkdir -p "/run/over$folder"/{upper,work}
  mount -t overlay overlay -o "lowerdir=$folder,upperdir=/run/over$folder/upper,workdir=/run/over$folder/work" "$folder"
done

ip link set lo up
sysctl -qw net.ipv4.ip_forward=1
# Each refusal is told, not one a second.
sysctl -qw net.ipv4.icmp_ratelimit=0
# A refused connection is tried again; a lost one would hang for 30 s, as with a Service address that kube-proxy has no
# rule for yet.
nft -f - <<'RULES'
table ip sealed {
  chain arriving {
    type filter hook prerouting priority 0
    iifname { "lo", "k2kindnode" } accept
    ip daddr { 10.246.0.0/30, 10.247.0.0/24 } accept
    meta l4proto tcp reject with tcp reset
    reject
  }
}
RULES

# Not the machine's /etc/docker/daemon.json. Without firewall rules of its own: the namespace has nothing to hide.
echo '{}' > /run/daemon.json
exec dockerd --data-root "$data" --exec-root /run/docker --host "unix://$run/docker.sock" --pidfile /run/docker.pid \
  --config-file /run/daemon.json --bridge none --iptables=false --ip6tables=false \
  --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent /k2kind \
  --add-runtime "runccap=$runtime" --default-runtime runccap
