#!/bin/sh
case "$*" in *" --report "*)
  page=${*##* --report }; page=${page%% *}; mkdir -p "$page"; touch "$page/report.html"
  echo report >> "$CALLS"; exit 0;;
esac
stage=$1; words="$*"
while [ "$1" != -o ]; do shift; done
echo "$stage $2" >> "$CALLS"
[ "$stage" = "$FAILING" ] && { mkdir -p "$2.part"; exit 85; }
[ "$(cat "$2/words" 2>/dev/null)" = "$words" ] && exit 0
rm -rf "$2"; mkdir -p "$2"; echo "$words" > "$2/words"
[ "$stage" != evaluate ] || printf '%s\n' \
  row,case,class,missed,spurious,empty,dice,jaccard,hd95_mm,asd_mm \
  raw,a,organ,0,0,0,0.5,0.25,4,2 raw,b,organ,1,0,0,0.7,0.45,6,4 > "${2%.zarr}.csv"
