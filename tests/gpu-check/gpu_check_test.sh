#!/usr/bin/env bash
# gpu_check_test.sh BUILD: scripts/gpu-check on the emulated driver: its report, its exit codes, what it does where there
# is no GPU, a failing driver, a hanging or a wrong kernel.
set -u
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0
unset LEET_CUDA_DRIVER LEET_LIB CUDA_VISIBLE_DEVICES LEET_CUDA_SEGMENTS
jobs=$(nproc)

expect() { # what, condition as a command
  local what=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAIL $what"
  fi
}
is() { [ "$1" = "$2" ] || { echo "     expected '$2', got '$1'" && false; }; }
says() { grep -qE -- "$2" "$1" || { echo "     no '$2' in:" && head -40 "$1" && false; }; }
silent() { ! grep -qE -- "$2" "$1"; }

# Runs gpu-check; $code and $work/said are what it answered.
check() {
  (cd "$work" && timeout 600 "$root/scripts/gpu-check" --emulated --build "$build" --jobs "$jobs" --out "$work/out" "$@") >"$work/said" 2>&1
  code=$?
}
# A JavaScript expression of the report `r`.
report() { node -e "const r = JSON.parse(require('fs').readFileSync('$work/out/emulated.json', 'utf8')); console.log($1)" 2>&1; }

# Everything right: every part, one method.
check --methods recurrent
expect "a good run ends with 0" is $code 0
expect "it says so" says "$work/said" '^EMULATED, timings mean nothing: PASSED \(only some parts ran\)'
expect "the report is sound JSON of this schema" is "$(report 'r.schema')" 1
expect "it is ok, incomplete and emulated" is "$(report '[r.ok, r.complete, r.emulated].join()')" true,false,true
expect "it names the card" is "$(report 'r.machine.gpu')" 'leet emulated device'
expect "it states the machine" is "$(report '["compute_capability", "driver_cuda", "multiprocessors", "memory_bytes", "l2_bytes"].filter((k) => !(k in r.machine)).join()')" ''
expect "it states the run" is "$(report '["date", "commit", "mode", "arguments"].filter((k) => !(k in r.run)).join()')" ''
expect "it states the library" is "$(report '/cuda\(/.test(r.library.version)')" true
expect "it has every check" is "$(report 'r.checks.map((c) => `${c.name} ${c.status}`).join()')" \
  'build passed,isa passed,images passed,kernels_recurrent passed,faults skipped,sanitizer skipped,peaks passed,bench passed'
expect "checks that ran count something" is "$(report 'r.checks.filter((c) => c.status === "passed" && c.name !== "build" && c.name !== "peaks" && !(c.passed > 0)).length')" 0
expect "it has the peaks" is "$(report '["mma_bf16", "mma_f16", "mma_tf32", "fma", "read", "copy", "copy_dtod", "h2d", "d2h", "launch", "enqueue", "roundtrip"].filter((n) => !r.peaks.some((p) => p.name === n && p.median > 0)).join()')" ''
expect "it has results" is "$(report 'r.results.length')" 2
expect "each with every figure" is "$(report '["kind", "method", "dtype", "decay", "B", "H", "N", "d", "ok", "ms", "ms_min", "repeats", "bytes", "gbs", "bandwidth_share", "tflops", "peak_share", "model_ms", "measured_over_model", "error_o", "error_state", "auto"].filter((k) => !r.results.every((x) => k in x)).join()')" ''
expect "the Markdown starts with the card and the verdict" is "$(head -3 "$work/out/emulated.md" | sed 's/: [0-9].*//' | tr '\n' '~')" \
  '# EMULATED: leet emulated device~~**EMULATED, timings mean nothing: PASSED (only some parts ran) on leet emulated device, compute capability 8.0~'
expect "it has a table of the benchmark" says "$work/out/emulated.md" '^\| recurrent \| bf16 \| retnet \| 1 \| 2 \| 16 \| 65 \|'
expect "nothing was written to docs/" is "$(cd "$root" && ls docs/gpu-results | grep -i emulated)" ''

# A decode step and host arrays.
check --methods flash --parts bench
expect "flash, a decode step and host arrays are right" is "$code $(report 'r.results.map((x) => x.kind).join()')" \
  '0 prefill,prefill,decode,decode,host'

# A driver whose launches fail: that part fails, the others go on.
LEETEMU_FAIL=cuLaunchKernel:9:719:from check --methods recurrent --parts images,peaks
expect "a failing part ends with 1" is $code 1
expect "the verdict names it" says "$work/said" 'FAILED .*failed: .*images'
expect "its first failures stand in the report" is "$(report 'r.checks.find((c) => c.name === "images").failures.some((f) => /cuLaunchKernel/.test(f) && /719/.test(f))')" true
expect "with a line that repeats it" is "$(report '/gpu-bench images/.test(r.checks.find((c) => c.name === "images").reproduce)')" true
expect "the next part ran all the same" is "$(report 'r.checks.some((c) => c.name === "peaks")')" true

# A benchmark case that loses the GPU is marked, and the next ones run.
LEETEMU_FAIL=cuLaunchKernel:14:719 check --methods recurrent --parts bench
expect "a lost case ends with 1" is $code 1
expect "the lost case is marked" is "$(report 'r.results.filter((x) => x.ok === 0 && /719|ended/.test(x.why)).length > 0')" true
expect "and named in the Markdown" says "$work/out/emulated.md" 'WRONG'

# A kernel that is wrong, and one that forgets to write: the first PTX line of a kind in it replaced.
ptx=$build/kernels/recurrent.ptx kernel=leet_recurrent_k32_bf16
line_of() { awk -v kernel="$kernel(" -v kind="$1" 'index($0, ".entry " kernel) { inside = 1 } inside && index($0, kind) { print NR; exit }' "$ptx"; }
sum=$(line_of shfl.sync.bfly) store=$(line_of st.global)
expect "the PTX has the lines to break" test -n "$sum" -a -n "$store"
taken=$(sed -n "${sum}p" "$ptx" | sed 's/.*b32[^%]*\(%[a-z0-9]*\)|[^,]*, *\(%[a-z0-9]*\),.*/mov.b32 \1, \2;/')
LEETEMU_PATCH=$kernel:$sum:$taken check --methods recurrent --parts bench
expect "a wrong kernel ends with 1" is $code 1
expect "the benchmark says that it is wrong" is "$(report 'r.results.filter((x) => x.ok === 0).map((x) => `${x.dtype} ${x.why}`).join()')" 'bf16 wrong result; '
LEETEMU_PATCH=$kernel:$store: check --methods recurrent --parts bench
expect "outputs that nobody wrote are counted" says "$work/out/emulated.md" 'WRONG.*: wrong result; [0-9]+ words not written'

# No GPU, and wrong use.
LEETEMU_DEVICES=0 check
expect "no device is exit code 3" is $code 3
expect "and a clear message" says "$work/said" '^gpu-check: no usable NVIDIA GPU: .*A GPU, its driver and libcuda.so.1 are needed'
LEET_CUDA_DRIVER=/nowhere/libcuda.so.1 check
expect "no driver is exit code 3" is $code 3
expect "and names the library" says "$work/said" '/nowhere/libcuda.so.1'
LEETEMU_CC=7.5 check
expect "an old GPU is exit code 3" is $code 3
expect "and says why" says "$work/said" 'compute capability 7.5, and 8.0 is the least'
for wrong in '--parts nonsense' '--wrong' '--seconds' '--seconds soon' "--out $root/docs/gpu-results"; do
  check $wrong
  expect "$wrong is exit code 2" is $code 2
done
expect "the help tells the exit codes" is "$("$root/scripts/gpu-check" --help | grep -c 'Exit code: 0')" 1

echo "$passed passed, $failed failed"
[ $failed = 0 ]
