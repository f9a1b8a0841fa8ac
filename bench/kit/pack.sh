#!/usr/bin/env bash
# Packs what bench/kit/run.sh needs on a GPU machine without an SDK or network: the .NET runtime of this machine, and the built command,
# tests, goldens, benchmarks and peer.py.
# usage: bench/kit/pack.sh [--no-build] [ARCHIVE]    (default: monoloss-kit.tar.xz)
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=yes
if [ "${1:-}" = --no-build ]; then
  build=no
  shift
fi
archive=$(realpath -m "${1:-monoloss-kit.tar.xz}")
limit=$((50 * 1000 * 1000))

if [ $build = yes ]; then
  dotnet build "$root/tests/Tests.csproj" -c Release -v quiet
  dotnet build "$root/bench/Bench.csproj" -c Release -v quiet
fi

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
kit=$stage/monoloss-kit
mkdir -p "$kit"

# The newest .NET 10 runtime installed here.
read -r version folder < <(dotnet --list-runtimes | sed -n 's/^Microsoft\.NETCore\.App \(10\.[^ ]*\) \[\(.*\)\]$/\1 \2/p' | tail -n 1)
dotnet_root=$(dirname "$(dirname "$folder")")
mkdir -p "$kit/dotnet/host/fxr" "$kit/dotnet/shared/Microsoft.NETCore.App"
cp "$dotnet_root/dotnet" "$kit/dotnet/"
cp -r "$dotnet_root/host/fxr/$version" "$kit/dotnet/host/fxr/"
cp -r "$folder/$version" "$kit/dotnet/shared/Microsoft.NETCore.App/"

cp -r "$root/tests/bin/Release/net10.0" "$kit/tests"
cp -r "$root/bench/bin/Release/net10.0" "$kit/bench"
# Only `bench kernels` needs BenchmarkDotNet's disassemblers, tracing and compiler. Without a list of dependencies, the host loads
# the assemblies it finds in the folder.
rm -rf "$kit"/bench/{runtimes,amd64,arm64,x86,MonoLoss.Bench.deps.json} \
  "$kit"/bench/{Microsoft.CodeAnalysis*,Microsoft.Diagnostics.*,Iced,Gee.External.Capstone,Dia2Lib,TraceReloggerLib}.dll
find "$kit/tests" "$kit/bench" -name '*.xml' -path '*MonoLoss.*' -delete
cp "$root/bench/kit/run.sh" "$root/docs/kit.md" "$root/LICENSE" "$kit/"

tar -C "$stage" --owner=0 --group=0 --sort=name -cf - monoloss-kit | xz -9e -T1 > "$archive"
size=$(stat -c %s "$archive")
echo "$archive: $((size / 1000)) kB, .NET $version"
if [ "$size" -gt $limit ]; then
  echo "pack.sh: the archive is larger than $((limit / 1000 / 1000)) MB" >&2
  exit 1
fi
