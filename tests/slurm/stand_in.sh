#!/usr/bin/env bash
# A stand-in for samssl that works for $SECONDS_OF_WORK, saves what is done in steps of 0.2 s beside the
# artifact after -o, goes on there, and answers signals with the codes of samssl. It notes in $CALLS how
# each run ended. The stage $FAILING ends with 1.
stage=$1
while [[ $1 != -o ]]; do shift; done
output=$2 progress=$2.progress
leave() {
  trap '' TERM # the first signal decides, as with samssl
  sleep "${SAVING_S:-0}"
  echo "$stage ${output##*/} $1" >> "$CALLS"
  exit "$1"
}
trap 'leave 85' USR1
trap 'leave 143' TERM
[[ $stage != "${FAILING:-}" ]] || leave 1
[[ ! -e $output ]] || leave 0
mkdir -p "$progress"
steps=("$progress"/*)
[[ -e ${steps[0]} ]] || steps=()
for ((n = ${#steps[@]}; n < ${SECONDS_OF_WORK:-0} * 5; n++)); do
  sleep 0.2
  [[ ${SAVING:-yes} = no ]] || touch "$progress/$n"
done
rm -r "$progress"
mkdir "$output"
leave 0
