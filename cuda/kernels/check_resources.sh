#!/bin/sh
# check_resources.sh KERNELS_DEF DOC ARCHS FILE...: what every kernel needs on every architecture.
#
# FILE is MODULE.ptx, which ptxas compiles for each of ARCHS ("80 90"). Fails when a kernel spills, has a stack frame, or
# needs more registers or shared memory than KERNELS_DEF states, and when KERNELS_DEF names a kernel that no file has. Writes the
# table between the two marks in DOC.
set -eu
def=$1 doc=$2 archs=$3
shift 3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for file in "$@"; do
  for arch in $archs; do
    ptxas -v -arch="sm_$arch" "$file" -o "$work/cubin" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    sed "s/^/$arch /" "$work/log" >>"$work/all"
  done
done
sed -n 's/^LEET_KERNEL(\([^)]*\))/\1/p' "$def" | tr -d ' ' | tr ',' ' ' >"$work/def"

# Threads and 32-bit registers of a multiprocessor are 65536 registers everywhere; shared memory and threads by architecture.
awk -v archs="$archs" -v table="$work/table" '
  function min(a, b) { return a < b ? a : b }
  FILENAME == ARGV[1] { module[$2] = $1; order[++count] = $2; threads[$2] = $3; dynamic[$2] = $5; shared[$2] = $6; most[$2] = $7; next }
  /Compiling entry function/ { match($0, /leet_[a-z0-9_]*/); name = substr($0, RSTART + 5, RLENGTH - 5); arch = $1 }
  /bytes stack frame/ { if ($2 + 0 > 0 || $6 + 0 > 0 || $10 + 0 > 0) { print "sm_" arch " " name ": " $0; bad++ } }
  /Used [0-9]+ registers/ {
    match($0, /Used [0-9]+/); used = substr($0, RSTART + 5, RLENGTH - 5) + 0
    fixed = 0
    if (match($0, /[0-9]+ bytes smem/)) fixed = substr($0, RSTART, RLENGTH) + 0
    if (!(name in module)) { print name ": not in kernels.def"; bad++; next }
    total = fixed + dynamic[name]
    if (used > most[name]) { print "sm_" arch " " name ": " used " registers, kernels.def allows " most[name]; bad++ }
    if (total > shared[name]) { print "sm_" arch " " name ": " total " bytes of shared memory, kernels.def allows " shared[name]; bad++ }
    per = (arch == 80) ? 167936 : (arch == 86 || arch == 89 || arch == 120) ? 102400 : 233472
    cap = (arch == 80 || arch == 90 || arch == 100) ? 2048 : 1536
    blocks = min(int(65536 / (int((used + 7) / 8) * 8 * threads[name])), int(cap / threads[name]))
    blocks = min(blocks, int(per / (total + 1024)))
    if (blocks == 0) { print "sm_" arch " " name ": no block fits"; bad++ }
    registers[name, arch] = used; bytes[name] = total
    warps[name, arch] = blocks * threads[name] / 32; share[name, arch] = int(100 * blocks * threads[name] / cap)
  }
  END {
    n = split(archs, list, " ")
    printf "| kernel | threads | shared bytes |" >table
    for (i = 1; i <= n; i++) printf " sm_%s registers | warps (occupancy) |", list[i] >table
    printf "\n| --- | --- | --- |" >table
    for (i = 1; i <= n; i++) printf " --- | --- |" >table
    printf "\n" >table
    for (k = 1; k <= count; k++) {
      name = order[k]
      if (!((name, list[1]) in registers)) { print name ": in kernels.def and in no image"; bad++; continue }
      printf "| %s | %d | %d |", name, threads[name], bytes[name] >table
      for (i = 1; i <= n; i++) printf " %d | %d (%d %%) |", registers[name, list[i]], warps[name, list[i]], share[name, list[i]] >table
      printf "\n" >table
    }
    if (bad) exit 1
    print count " kernels within their budget on " n " architectures"
  }' "$work/def" "$work/all"

# Only between the marks, and only when it changed.
awk -v table="$work/table" '
  /<!-- resources -->/ { print; print ""; while ((getline line < table) > 0) print line; print ""; skip = 1; next }
  /<!-- end of resources -->/ { skip = 0 }
  !skip' "$doc" >"$work/doc"
cmp -s "$work/doc" "$doc" || cp "$work/doc" "$doc"
