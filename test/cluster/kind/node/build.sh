#!/bin/bash
# build.sh DEBIAN KUBE COREDNS PAUSE VERSION NAME FOLDER: makes FOLDER/node.tar, the image of a kind node under the name
# NAME, as `docker load` reads it: the root in the archive DEBIAN, what lies in root/, the program KUBE under all its
# names, and the control plane's images. It needs no daemon and no container registry.
set -euo pipefail
debian=$1 kube=$2 coredns=$3 pause=$4 version=$5 name=$6 folder=$7
source=$(cd "$(dirname "$0")" && pwd)
mkdir "$folder/work"
cd "$folder/work"

# layer NAME: the folder NAME becomes NAME.tar.
layer() {
  tar -C "$1" --numeric-owner --sort=name --mtime=@0 -cf "$1.tar" .
  checksum "$1"
}
checksum() { sha256sum < "$1.tar" | cut -d' ' -f1 > "$1.sha256"; }

# config 'JSON OF THE CONTAINER' LAYER...: an image configuration
# (https://github.com/opencontainers/image-spec/blob/main/config.md), on standard output.
config() {
  local settings=$1 digests= history= part
  shift
  for part in "$@"; do
    digests+=${digests:+,}\"sha256:$(cat "$part.sha256")\"
    history+=${history:+,}'{"created":"1970-01-01T00:00:00Z"}'
  done
  printf '{"architecture":"amd64","os":"linux","created":"1970-01-01T00:00:00Z","config":%s,' "$settings"
  printf '"rootfs":{"type":"layers","diff_ids":[%s]},"history":[%s]}\n' "$digests" "$history"
}

# The control plane's image: KUBE under five names, and what kube-proxy calls, with every library of its plugins. One
# that is missing shows late: the node is Ready, and no Service with two endpoints works.
make_control_plane() {
  local libraries=usr/lib/x86_64-linux-gnu program library
  mkdir -p control/{usr/local/bin,usr/sbin,$libraries,lib64,etc,tmp,run,proc,sys,dev,var}
  chmod 1777 control/tmp
  ln -s usr/lib control/lib
  ln -s usr/sbin control/sbin
  install -m 755 "$kube" control/usr/local/bin/kube
  for program in kube-apiserver kube-controller-manager kube-scheduler kube-proxy etcd; do
    ln -s kube "control/usr/local/bin/$program"
  done
  cp -P debian/usr/sbin/{nft,xtables-nft-multi} control/usr/sbin/
  for program in {ip,ip6}tables{,-save,-restore}; do ln -s xtables-nft-multi "control/usr/sbin/$program"; done
  cp -r debian/$libraries/xtables control/$libraries/
  for library in $(chroot debian sh -c "ldd /usr/sbin/nft /usr/sbin/xtables-nft-multi /$libraries/xtables/*.so" |
    grep -oP '=> \K/lib/x86_64[^ ]*' | sort -u); do
    cp -L "debian$library" control/$libraries/
  done
  cp -L debian/lib64/ld-linux-x86-64.so.2 control/lib64/
  cp debian/etc/protocols control/etc/ 2>/dev/null || true
  # Loads the plugin that a Service with several endpoints needs.
  chroot control /usr/sbin/iptables -m statistic --help > /dev/null
  echo 'root:x:0:0:root:/root:/sbin/nologin' > control/etc/passwd
  echo 'root:x:0:' > control/etc/group
  echo 'hosts: files dns' > control/etc/nsswitch.conf
}

# The images that kubeadm will ask for, under the names it gives them, in one archive.
make_component_images() {
  local names
  make_control_plane
  mkdir -p coredns/etc pause
  install -m 755 "$coredns" coredns/coredns
  echo 'hosts: files dns' > coredns/etc/nsswitch.conf
  install -m 755 "$pause" pause/pause
  for part in control coredns pause; do layer $part; done
  config '{"Env":["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}' control > control.json
  config '{"Entrypoint":["/coredns"]}' coredns > coredns.json
  config '{"Entrypoint":["/pause"]}' pause > pause.json
  names=$("$kube" kubeadm config images list --kubernetes-version "v$version")
  tags() { grep -E "$1" <<< "$names" | sed 's/.*/"&"/' | paste -sd,; }
  entry() { printf '{"Config":"%s.json","RepoTags":[%s],"Layers":["%s.tar"]}' "$1" "$(tags "$2")" "$1"; }
  echo "[$(entry control '/kube-|/etcd:'),$(entry coredns '/coredns:'),$(entry pause '/pause:')]" > manifest.json
  tar -cf images.tar {control,coredns,pause}.{tar,json} manifest.json
  sed -i "s#PAUSE_IMAGE#$(grep '/pause:' <<< "$names")#" node/etc/containerd/config.toml
}

cp "$debian" debian.tar
checksum debian
mkdir debian
tar -C debian -xf debian.tar
mkdir -p node/usr/local/bin node/kind
cp -a "$source/root/." node/
chown -R 0:0 node
make_component_images
mv images.tar node/kind/images.tar
install -m 755 "$kube" node/usr/local/bin/kube
for program in kubeadm kubelet kubectl crictl; do ln -s kube "node/usr/local/bin/$program"; done
# kind reads the version there.
echo "v$version" > node/kind/version
layer node
path=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
config '{"Entrypoint":["/usr/local/bin/node-init"],"StopSignal":"SIGRTMIN+3","Env":["PATH='$path'"]}' \
  debian node > config.json
printf '[{"Config":"config.json","RepoTags":["%s"],"Layers":["debian.tar","node.tar"]}]\n' "$name" > manifest.json
tar -cf ../node.tar manifest.json config.json debian.tar node.tar
sha256sum < config.json | cut -d' ' -f1 > ../image-id
cd ..
rm -rf work
