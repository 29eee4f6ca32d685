#!/usr/bin/env bash
# The whole loop on a Slurm cluster, one job per stage:
#
#   pipelines/slurm/submit.sh DATA=data/heart OUT=runs/heart LABELED=1 ROUNDS=2 PARTITION=gpu
#
#   --dry-run   print the sbatch commands, submit nothing
#   --help      print this
#
# What to do, as in pipelines/Makefile and with the same results (make -f pipelines/Makefile help):
#
#   DATA OUT LABELED SPLIT COARSE_MM FIRST_GUESS ROUNDS RECIPE STEPS SEED DEVICE GENERALIST CHECKPOINT
#   SAMSSL
#   PREPROCESS_FLAGS TRAIN_FLAGS PROMPT_FLAGS SAM_LABEL_FLAGS RETRAIN_FLAGS EVALUATE_FLAGS
#   SEEDS       several seeds, SEEDS='0 1 2': each in OUT/seed-N, with the cases of OUT/cases.zarr
#
# Where to do it; the defaults are those of the job scripts, pipelines/slurm/STAGE.sh:
#
#   PARTITION   where to run                                           (default: the cluster's)
#   ACCOUNT     what to charge                                         (default: yours)
#   GPUS        1, a100:1, or 0 for none   (default: 1 for trainings; with DEVICE=cuda 1 for all but
#               preprocess, with DEVICE=cpu 0)
#   NODES       nodes of a training; each has as many processes as GPUS (docs/several-gpus.md)
#                                                                      (default: 1)
#   CPUS        cores of each process                                  (default: 8)
#   MEM         memory                                                 (default: 32G)
#   TIME        time limit of one go: a stage that reaches it goes on in another
#                                        (default: 12:00:00 for trainings and sam-label, else 4:00:00)
#   SBATCH      further options of sbatch: SBATCH='--qos=long --constraint=a100'
#   LEAD        seconds before the time limit at which a stage is told to save      (default: 300)
#   MAX_STALLED restarts in a row that may add nothing before a job fails             (default: 5)
#   SHARDS      jobs that share the cases of a stage, as an array; each gets CPUS, MEM and GPUS
#               of its own. Trainings have no shards                                   (default: 1)
#
# PREPROCESS_, TRAIN_, PROMPT_, SAM_LABEL_, RETRAIN_ or EVALUATE_ in front of PARTITION, ACCOUNT, GPUS,
# CPUS, MEM, TIME, SBATCH and SHARDS makes it that of one stage: TRAIN_TIME=24:00:00.
#
# A variable is given as NAME=VALUE or in the environment. Paths may contain blanks. Where a value may be
# several words, in *_FLAGS, SBATCH, FIRST_GUESS, GENERALIST, CHECKPOINT, SAMSSL, one with blanks is quoted in it:
# TRAIN_FLAGS="--set 'a=b c'"
#
# Prints a line "ID NAME" per job. Each starts when those before it have succeeded and is cancelled when
# one of them fails. Logs: OUT/slurm. Run it again after a failure or a change, when the jobs have
# ended: what is up to date is left as it is, what was stopped resumes.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
loop=(DATA OUT LABELED SPLIT COARSE_MM FIRST_GUESS ROUNDS RECIPE STEPS SEED SEEDS DEVICE GENERALIST)
loop+=(CHECKPOINT SAMSSL)
stages=(PREPROCESS TRAIN PROMPT SAM_LABEL RETRAIN EVALUATE)
resources=(PARTITION ACCOUNT GPUS CPUS MEM TIME SBATCH)
shared=(PREPROCESS PROMPT SAM_LABEL EVALUATE) # the stages whose cases several jobs can share
submitted=()

die() { printf 'submit.sh: %s\n' "$*" >&2; exit 2; }

# ---- what was asked for ----------------------------------------------------------------------------

read_arguments() {
  local known word
  known=" ${loop[*]} ${stages[*]/%/_FLAGS} ${resources[*]} LEAD MAX_STALLED "
  known+="NODES TRAIN_NODES RETRAIN_NODES "
  for word in "${resources[@]}"; do known+="${stages[*]/%/_$word} "; done
  known+="SHARDS ${shared[*]/%/_SHARDS} "
  dry_run=''
  for word; do
    case $word in
      --dry-run | -n) dry_run=yes ;;
      --help | -h) sed -n '2,/^$/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit ;;
      [A-Z]*=*)
        [[ $known == *" ${word%%=*} "* ]] || die "there is no variable ${word%%=*}; try --help"
        declare -g "${word%%=*}=${word#*=}" ;;
      *) die "$word is no NAME=VALUE; try --help" ;;
    esac
  done
}

check_arguments() {
  local number data out
  [[ ${DATA:-} && ${OUT:-} ]] || die "DATA and OUT are needed; try --help"
  [[ -d $DATA ]] || die "DATA=$DATA is not a folder"
  data=$(realpath "$DATA") out=$(realpath -m "$OUT")
  [[ $out/ != "${data%/}"/* ]] || die "OUT=$OUT lies inside DATA=$DATA; choose a folder outside"
  for number in ROUNDS LEAD MAX_STALLED; do
    [[ ${!number:-0} =~ ^(0|[1-9][0-9]*)$ ]] || die "$number=${!number} is no whole number"
  done
  for number in SHARDS "${shared[@]/%/_SHARDS}"; do
    [[ ${!number:-1} =~ ^[1-9][0-9]*$ ]] || die "$number=${!number} is no number of jobs"
  done
  for number in NODES TRAIN_NODES RETRAIN_NODES; do
    [[ ${!number:-1} =~ ^[1-9][0-9]*$ ]] || die "$number=${!number} is no number of nodes"
  done
  [[ -z ${COARSE_MM:-} || -z ${FIRST_GUESS:-} ]] ||
    die "COARSE_MM trains a specialist and FIRST_GUESS trains none: set one of them"
  [[ -z ${SEED:-} || -z ${SEEDS:-} ]] || die "SEED and SEEDS exclude each other"
  [[ $dry_run ]] || check_programs
}

check_programs() {
  local program=("${SAMSSL:-samssl}")
  command -v sbatch > /dev/null || die "there is no sbatch: is this a machine of the cluster?"
  command -v "${program[0]}" > /dev/null || split program "${SAMSSL:-samssl}"
  command -v "${program[0]}" > /dev/null ||
    die "there is no program ${program[0]}: activate its environment, or name it with SAMSSL="
}

# split NAME VALUE: the words of a value into the array NAME. Quotes are as in a shell; nothing is run.
split() {
  # shellcheck disable=SC2034  # `into` is another name of the array
  local -n into=$1
  local text
  into=()
  [[ $2 ]] || return 0
  text=$(xargs printf '%s\n' <<< "$2" 2> /dev/null) || die "a quote is not closed in: $2"
  # shellcheck disable=SC2034
  mapfile -t into <<< "$text"
}

# each OPTION VALUE: OPTION before each of the words, into the array `words`.
each() {
  local one found=("$2")
  [[ -e $2 || -e ${2#*=} ]] || split found "$2" # a file, or NAME=FILE, whose name may have blanks
  for one in "${found[@]}"; do words+=("$1" "$one"); done
}

# The options of each stage, as the Makefile gives them.
read_options() {
  local words generalists flags
  recipe=(--recipe "${RECIPE:-default}" --force)
  device=(--device "${DEVICE:-auto}")
  steps=(${STEPS:+--steps "$STEPS"})
  first_guess=()
  split first_guess "${FIRST_GUESS:-}"

  split flags "${PREPROCESS_FLAGS:-}"
  preprocess=("${recipe[@]}" ${LABELED:+--labeled "$LABELED"} ${SPLIT:+--split "$SPLIT"} "${flags[@]}")
  split flags "${TRAIN_FLAGS:-}"
  train=("${recipe[@]}" "${steps[@]}" "${flags[@]}" "${device[@]}")
  split flags "${RETRAIN_FLAGS:-}"
  retrain=("${recipe[@]}" "${steps[@]}" "${flags[@]}" "${device[@]}")

  words=()
  each --generalist "${GENERALIST:-}"
  each --checkpoint "${CHECKPOINT:-}"
  generalists=("${words[@]}") words=()
  split flags "${PROMPT_FLAGS:-}"
  prompt=("${recipe[@]}" "${flags[@]}" "${device[@]}")
  keep_asking "${flags[@]}"
  split flags "${SAM_LABEL_FLAGS:-}"
  sam_label=("${recipe[@]}" "${generalists[@]}" "${flags[@]}" "${device[@]}")
  keep_asking "${flags[@]}"
  split flags "${EVALUATE_FLAGS:-}"
  evaluate=("${recipe[@]}" "${generalists[@]}" "${words[@]}" "${flags[@]}" "${device[@]}")
}

# evaluate asks the generalist as the round did: it repeats the --set words of prompt and sam-label.
keep_asking() {
  while (($#)); do
    case "$1 ${2:-}" in
      "--set prompt."* | "--set sam_label."*) words+=("$1" "$2"); shift ;;
      --set=prompt.* | --set=sam_label.*) words+=("$1") ;;
    esac
    shift
  done
}

# ---- jobs ------------------------------------------------------------------------------------------

# value STAGE NAME: STAGE_NAME, or NAME, or nothing at all; a variable set to nothing counts as set.
value() {
  local own=$1_$2
  [[ -v $own ]] || own=$2
  [[ -v $own ]] && printf '%s' "${!own}"
}

# The options of sbatch for one stage, into the array `asked`; the job script has the others.
read_resources() {
  local name found more
  asked=(--signal="B:USR1@${LEAD:-300}")
  for name in PARTITION ACCOUNT MEM TIME; do
    if found=$(value "$1" $name) && [[ $found ]]; then asked+=("--${name,,}=$found"); fi
  done
  if found=$(value "$1" CPUS) && [[ $found ]]; then asked+=(--cpus-per-task="$found"); fi
  if ! found=$(value "$1" GPUS); then
    case ${DEVICE:-auto}/$1 in
      cuda*/PREPROCESS) ;;
      cuda*) found=1 ;;
      cpu/*) found=0 ;;
    esac
  fi
  case $found in
    '') ;;
    0) asked+=(--gres=none) ;;
    *) asked+=(--gres="gpu:$found") ;;
  esac
  ask_for_processes "$1" "${found:-1}"
  split more "$(value "$1" SBATCH || true)"
  asked+=("${more[@]}")
}

# read_shards STAGE: its number of jobs into `shards`; one for a stage that cannot share its cases.
read_shards() {
  shards=''
  [[ " ${shared[*]} " != *" $1 "* ]] || shards=$(value "$1" SHARDS || true)
  shards=${shards:-1}
}

# ask_for_processes STAGE GPUS: a process per GPU of a training, or one per node without.
ask_for_processes() {
  local nodes each=${2##*:}
  case $1 in TRAIN | RETRAIN) ;; *) return 0 ;; esac
  nodes=$(value "$1" NODES || true) nodes=${nodes:-1}
  [[ $each =~ ^[1-9][0-9]*$ ]] || each=1
  if ((nodes * each > 1)); then
    asked+=(--nodes="$nodes" --ntasks=$((nodes * each)) --ntasks-per-node="$each")
  fi
}

# submit STAGE NAME "IDS" ARGUMENT...: one job, after those with these ids. Its id is then in `id`.
#
# With SHARDS, it is an array: each task does the cases of one shard, the last one to end seals, and
# `afterok` waits for all of them.
submit() {
  local stage=$1 name=$2 after=$3 asked command variable shards log=%x_%j.log
  shift 3
  variable=${stage^^}
  case $stage in
    train-ssl) variable=TRAIN ;;
    sam-label) variable=SAM_LABEL ;;
  esac
  read_resources "$variable"
  read_shards "$variable"
  if ((shards > 1)); then
    asked+=(--array="1-$shards") log=%x_%A_%a.log
    set -- "$@" --shard auto
  fi
  command=(sbatch --parsable --export=ALL "${asked[@]}")
  command+=(--job-name="$name" --output="${OUT//%/%%}/slurm/$log")
  [[ -z $after ]] || command+=(--dependency="afterok:${after// /:}" --kill-on-invalid-dep=yes)
  command+=("$here/$stage.sh" "$@")
  if [[ $dry_run ]]; then
    id=$name # a job that waits for this one names it by its id
    printf '%q ' "${command[@]}"
    echo
  else
    id=$("${command[@]}")
    id=${id%%;*} # "ID;CLUSTER" where there are several
    submitted+=("$id")
    printf '%s %s\n' "$id" "$name" | tee -a "$OUT/slurm/jobs"
  fi
}

# score NAME CHECKPOINT "IDS" ARGUMENT...: a job that scores one checkpoint of `submit_loop`.
score() {
  submit evaluate "evaluate.$1$suffix" "$3" \
    "$cases" "$2" -o "$out/scores/$1.zarr" "${evaluate[@]}" "${@:4}"
}

# submit_loop SEED FOLDER SUFFIX: everything behind the cases, for one seed.
submit_loop() {
  local seed=$1 out=$2 suffix=$3 supervised name path trained round n scored beside start
  submit train-ssl "train-ssl.supervised$suffix" "$cases_id" \
    "$cases" -o "$out/supervised.zarr" "${train[@]}" --seed "$seed" --method supervised
  supervised=$id
  if ((${#first_guess[@]})); then
    name='' path='' trained=$cases_id start=(--first-guess "${first_guess[@]}")
  else
    submit train-ssl "train-ssl.specialist$suffix" "$coarse_id" \
      "$coarse" -o "$out/specialist.zarr" "${train[@]}" --seed "$seed"
    name=specialist path=$out/specialist.zarr trained=$id start=("$out/specialist.zarr")
    [[ $cases_id = "$coarse_id" ]] || trained+=" $cases_id"
  fi

  score supervised "$out/supervised.zarr" "$supervised"
  scored=$id beside=(--beside "$out/scores/supervised.zarr")
  for ((n = 1; n <= ${ROUNDS:-1}; n++)); do
    if [[ $name ]]; then
      score "$name" "$path" "$trained"
      scored+=" $id" beside+=(--beside "$out/scores/$name.zarr")
    fi
    round=round-$n
    submit prompt "prompt.$round$suffix" "$trained" \
      "$cases" "${start[@]}" -o "$out/$round/prompts.zarr" "${prompt[@]}" --seed "$seed"
    submit sam-label "sam-label.$round$suffix" "$id" \
      "$cases" "$out/$round/prompts.zarr" -o "$out/$round/pseudo.zarr" "${sam_label[@]}"
    submit retrain "retrain.$round$suffix" "$id" \
      "$cases" "$out/$round/pseudo.zarr" -o "$out/$round/student.zarr" "${retrain[@]}" --seed "$seed"
    name=$round path=$out/$round/student.zarr trained=$id start=("$out/$round/student.zarr")
  done
  score "$name" "$path" "$trained $scored" --report "$out/report" "${beside[@]}"
}

submit_all() {
  local seed cases=$OUT/cases.zarr coarse=$OUT/cases.zarr cases_id coarse_id id seeds
  submit preprocess preprocess "" "$DATA" -o "$cases" "${preprocess[@]}"
  cases_id=$id coarse_id=$id
  if [[ ${COARSE_MM:-} ]]; then
    coarse=$OUT/coarse/cases.zarr
    submit preprocess preprocess.coarse "" "$DATA" -o "$coarse" "${preprocess[@]}" --spacing-mm "$COARSE_MM"
    coarse_id=$id
  fi
  if [[ ${SEEDS:-} ]]; then
    read -ra seeds <<< "$SEEDS"
    for seed in "${seeds[@]}"; do submit_loop "$seed" "$OUT/seed-$seed" ".seed-$seed"; done
  else
    submit_loop "${SEED:-0}" "$OUT" ""
  fi
}

# ---- submission ------------------------------------------------------------------------------------

refuse_if_queued() {
  local queued active
  [[ -r $OUT/slurm/jobs ]] || return 0
  queued=$(squeue --noheader --user="$(id -un)" --format=%F) || die "squeue does not answer"
  [[ $queued ]] || return 0
  active=$(cut -d ' ' -f 1 "$OUT/slurm/jobs" | grep -Fx -f <(printf '%s' "$queued") | tr '\n' ' ') || true
  [[ -z $active ]] || die "an earlier submission for $OUT is not done: wait for it, or scancel $active"
}

take_back() {
  local code=$?
  if ((code)) && ((${#submitted[@]})); then
    scancel "${submitted[@]}" || true
    echo "submit.sh: not every job was accepted; took back ${submitted[*]}" >&2
  fi
}

read_arguments "$@"
check_arguments
read_options
if [[ -z $dry_run ]]; then
  refuse_if_queued
  mkdir -p "$OUT/slurm"
  : > "$OUT/slurm/jobs"
  # sbatch hands the environment on to the jobs.
  export SAMSSL_SLURM=$here SAMSSL=${SAMSSL:-samssl} SAMSSL_MAX_STALLED=${MAX_STALLED:-5}
  trap take_back EXIT
fi
submit_all
