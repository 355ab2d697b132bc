#!/bin/bash
# gen.sh VERSION (1.35.4): writes go.mod for that Kubernetes, and completes go.sum. Kubernetes is a
# module of several repositories: upstream's own requirements are taken over, with its staging folders by their version.
set -euo pipefail
cd "$(dirname "$0")"
version=$1
upstream=$(go mod download -json "k8s.io/kubernetes@v$version" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
{
  echo 'module kube'
  grep -E '^(go|godebug) ' "$upstream"
  awk '/^require \(/{p=1} p{print} /^\)/{p=0}' "$upstream" |
    sed -E "s#^(\s+k8s.io/[a-z-]+) v0\.0\.0( .*)?\$#\1 v0.${version#1.}\2#"
  echo "require k8s.io/kubernetes v$version"
  echo 'replace ('
  grep -oE '^\s+k8s.io/[a-z-]+ => \./staging' "$upstream" |
    awk -v version="${version#1.}" '{print "\t" $1 " => " $1 " v0." version}'
  echo ')'
} > go.mod
go list -mod=mod -deps . > /dev/null
