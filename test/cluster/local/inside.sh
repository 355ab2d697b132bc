#!/bin/bash
# Runs inside the cluster's namespaces.
#   hold RUN            makes the node's network and holds the namespaces until it is killed
#   start RUN LOG NAME  starts the component whose command is in RUN/NAME.command (words ended by NUL)
#   kill RUN NAME       kills it with SIGKILL
set -euo pipefail
run=$2
case $1 in
hold)
  # Paths fixed in the kubelet, containerd and CNI: in memory here, so that nothing lands on the machine.
  for folder in /var/lib/kubelet /var/lib/cni /var/log/containers /run/containerd; do
    mkdir -p "$folder"
    mount -t tmpfs k2-bed "$folder"
  done
  ip link set lo up
  ip link add "$K2_BRIDGE" type bridge
  ip address add "$K2_NODE_ADDRESS/24" dev "$K2_BRIDGE"
  ip link set "$K2_BRIDGE" up
  # Without bridge-nf-call, an answer between two pods on one bridge passes the Service's address translation by.
  for setting in net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables; do
    file=/proc/sys/${setting//.//}
    if [[ -e $file ]]; then echo 1 > "$file"; else echo "no $file on this kernel"; fi
  done
  touch "$run/network"
  exec sleep infinity
  ;;
start)
  mapfile -d '' -t command < "$run/$4.command"
  setsid nohup "${command[@]}" >> "$3/$4.log" 2>&1 < /dev/null &
  echo $! > "$run/$4.pid"
  ;;
kill)
  kill -KILL "$(< "$run/$3.pid")"
  ;;
esac
