#!/bin/sh
# write_table.sh MARK TABLE DOC: puts the lines of TABLE that begin with | between <!-- MARK --> and <!-- end of MARK -->
# of DOC.
set -eu
mark=$1 table=$2 doc=$3
work=$(mktemp)
trap 'rm -f "$work"' EXIT
awk -v mark="$mark" -v table="$table" '
  $0 == "<!-- " mark " -->" { print; print ""; while ((getline line < table) > 0) if (line ~ /^\|/) print line; print ""; skip = 1; next }
  $0 == "<!-- end of " mark " -->" { skip = 0 }
  !skip' "$doc" >"$work"
cmp -s "$work" "$doc" || cat "$work" >"$doc"
