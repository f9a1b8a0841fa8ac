#!/usr/bin/env bash
# Measures MonoLoss on this machine's GPU and writes one Markdown file. Needs a driver, and Python with PyTorch for the comparison; no SDK,
# no network. Described in docs/kit.md.
set -uo pipefail
usage() {
  cat <<'TEXT'
usage: run.sh [options]
  --device NAME        cuda (default), cuda:1, opencl, opencl:1, ilgpu-cpu
  --out FILE           the report (default: monoloss-DEVICE.md)
  --python PROGRAM     a Python with PyTorch (default: python3)
  --peer-device NAME   PyTorch's device for the comparison (default: that of --device for cuda, else cpu)
  --rows N --features N --latents N -k N
                       sizes of the benchmarks (default: 2048, 768, 8192, 64)
  --rounds N           repetitions of each measurement
  --quick              few repetitions, and fewer samples for monoscore
  --tests all|core|none
                       every test that runs on a device; conformance and official runs only; none (default: all)
  --timeout SECONDS    per section (default: 3600)
TEXT
}

kit=$(cd "$(dirname "$0")" && pwd)
device=cuda out= python=python3 peer_device= tests=all limit=3600
steps_sizes=() score_sizes=() rounds=()
while [ $# -gt 0 ]; do
  case $1 in
    --device) device=$2; shift 2 ;;
    --out) out=$2; shift 2 ;;
    --python) python=$2; shift 2 ;;
    --peer-device) peer_device=$2; shift 2 ;;
    --rows) steps_sizes+=("$1" "$2"); shift 2 ;;
    --features | --latents | -k) steps_sizes+=("$1" "$2"); score_sizes+=("$1" "$2"); shift 2 ;;
    --rounds) rounds+=("$1" "$2"); shift 2 ;;
    --quick) quick=--quick; shift ;;
    --tests) tests=$2; shift 2 ;;
    --timeout) limit=$2; shift 2 ;;
    -h | --help) usage; exit 0 ;;
    *) echo "run.sh: unknown option $1; see run.sh --help" >&2; exit 2 ;;
  esac
done
case $tests in all | core | none) ;; *) echo "run.sh: --tests: expected all, core or none" >&2; exit 2 ;; esac
quick=${quick:-}
out=${out:-monoloss-${device//:/-}.md}
case $device in cuda*) peer_device=${peer_device:-$device} cuda=yes ;; *) peer_device=${peer_device:-cpu} cuda=no ;; esac

export DOTNET_ROOT=$kit/dotnet PATH=$kit/dotnet:$PATH MONOLOSS_TEST_DEVICE=$device
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
: > "$work/summary"
: > "$work/body"

# section TITLE COMMAND...: runs the command and adds its output to the report, as plain text if plain=yes. The report shows $shown, if set,
# in place of the command. A failure is recorded and does not end the run.
section() {
  local title=$1 start=$SECONDS status
  shift
  echo "== $title" >&2
  timeout "$limit" "$@" > "$work/output" 2> "$work/errors"
  status=$?
  local seconds=$((SECONDS - start)) result=ok
  if [ $status -eq 124 ]; then
    result="timed out after $limit s"
  elif [ $status -ne 0 ]; then
    result="failed (exit code $status)"
  fi
  if [ $status -ne 0 ]; then
    failed=1
  fi
  echo "| $title | $seconds | $result |" >> "$work/summary"
  {
    printf '\n## %s\n\n' "$title"
    printf '`%s`\n\n' "${shown:-$(printf '%s ' "$@" | sed "s|$kit/||g; s|dotnet/dotnet ||; s|$work/||g; s/ *$//")}"
    if [ "${plain:-no}" = yes ]; then
      printf '```\n'
    fi
    sed "s|$kit/||g; s|$work/||g" "$work/output"
    if [ "${plain:-no}" = yes ]; then
      printf '```\n'
    fi
    if [ $status -ne 0 ]; then
      printf '\n**%s**\n\n```\n' "$result"
      tail -n 20 "$work/errors"
      printf '```\n'
    fi
  } >> "$work/body"
  echo "   $result, $seconds s" >&2
}

# skip TITLE REASON
skip() {
  echo "| $1 | | skipped: $2 |" >> "$work/summary"
  echo "== $1: skipped: $2" >&2
}

bench() { section "$1" "$kit/dotnet/dotnet" "$kit/bench/MonoLoss.Bench.dll" "${@:2}"; }

# Keeps the failures and the counts of xunit's output.
run_tests() {
  "$kit/dotnet/dotnet" "$kit/tests/MonoLoss.Tests.dll" -noColor -noLogo "$@" > "$work/tests" 2>&1
  local status=$?
  grep -A 6 '\[FAIL\]' "$work/tests"
  grep 'Total:' "$work/tests" || tail -n 20 "$work/tests"
  return $status
}

machine() {
  uname -srm
  grep -m 1 'model name' /proc/cpuinfo 2> /dev/null | sed 's/.*: //'
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.mem --format=csv,noheader 2> /dev/null
  "$python" -c 'import torch; print("PyTorch", torch.__version__, "CUDA", torch.version.cuda)' 2> /dev/null
  "$kit/dotnet/dotnet" "$kit/tests/monoloss.dll" --version
}
# Creates the demo's features on the CPU, and trains once on the device.
train() {
  local monoloss=("$kit/dotnet/dotnet" "$kit/tests/monoloss.dll")
  "${monoloss[@]}" demo --quiet --out "$work/demo" > /dev/null && "${monoloss[@]}" train --quiet "$@"
}
export -f run_tests machine train
export kit work python

shown="uname, nvidia-smi, monoloss --version" plain=yes section Machine bash -c machine
plain=yes section Devices "$kit/dotnet/dotnet" "$kit/tests/monoloss.dll" devices
case $tests in
  all) filter=(-trait Speed=Slow) ;;
  core)
    suites=MonoLoss.Tests.Kernels.Ilgpu
    filter=(-class $suites.IlgpuConformanceTests -class $suites.IlgpuGoldenRunTests -class $suites.IlgpuGoldenDatasetTests)
    ;;
  none) filter=() ;;
esac
if [ "$tests" = none ]; then
  skip "Tests on $device" "--tests none"
else
  shown="MonoLoss.Tests.dll ${filter[*]}" plain=yes section "Tests on $device" bash -c 'run_tests "$@"' run_tests "${filter[@]}"
fi
settings=(--device "$device" --latents 512 --k 16 --batch-size 1024 --epochs 5 --lr 1e-3 --mono-coef 0.003)
shown="monoloss train ${settings[*]}" plain=yes section "A training run on the demo's features" bash -c 'train "$@"' train \
  --train "$work/demo/train.parquet" --test "$work/demo/test.parquet" --out "$work/run" "${settings[@]}"

bench "Bounds" bounds "${steps_sizes[@]}"
# `gpu` has no --quick: its default is 20 rounds.
gpu_rounds=("${rounds[@]}")
if [ -n "$quick" ] && [ ${#rounds[@]} -eq 0 ]; then
  gpu_rounds=(--rounds 3)
fi
bench "Kernels against their bounds" gpu --device "$device" "${steps_sizes[@]}" "${gpu_rounds[@]}"
if [ $cuda = yes ]; then
  bench "Kernels against their bounds, TF32" gpu --device "$device" --tf32 "${steps_sizes[@]}" "${gpu_rounds[@]}"
else
  skip "Kernels against their bounds, TF32" "needs tensor cores"
fi
bench "Training steps" steps --device "$device" $quick "${steps_sizes[@]}" "${rounds[@]}"
bench "MonoScore over the number of samples" monoscore --device "$device" $quick "${score_sizes[@]}" "${rounds[@]}"

if "$python" -c 'import torch, numpy' 2> /dev/null; then
  compare=(compare --python "$python" --device "$device" --peer-device "$peer_device" $quick "${steps_sizes[@]}" "${rounds[@]}")
  plain=yes section "The peer against the official runs" \
    "$python" "$kit/bench/peer/peer.py" --device "$peer_device" --check "$kit"/tests/goldens/*.safetensors
  bench "Against PyTorch, float32" "${compare[@]}"
  if [ $cuda = yes ]; then
    bench "Against PyTorch, TF32" "${compare[@]}" --tf32
  else
    skip "Against PyTorch, TF32" "needs tensor cores"
  fi
  if ! "$python" -c 'import torch; torch.compile' 2> /dev/null; then
    skip "Against PyTorch, compiled" "needs PyTorch 2"
  else
    bench "Against PyTorch, compiled" "${compare[@]}" --compile
    if [ $cuda = yes ]; then
      bench "Against PyTorch, TF32, compiled" "${compare[@]}" --tf32 --compile
    fi
  fi
else
  skip "Against PyTorch" "$python cannot import torch and numpy"
fi

{
  printf '# MonoLoss on %s\n\n' "$device"
  date -u +'%Y-%m-%d %H:%M UTC'
  printf '\n| section | seconds | result |\n| --- | ---: | --- |\n'
  cat "$work/summary" "$work/body"
} > "$out"
echo "written: $out" >&2
exit $failed
