# What the job scripts of all stages share. Each sources this file and calls `run_stage`.
# shellcheck shell=bash
#
# What stops a stage, and what becomes of its job:
#
#   SIGUSR1  before the time limit or a preemption. It is passed on, samssl saves its state and ends
#            with 85, and the job goes back into the queue.
#   SIGTERM  of a preemption, a time limit or scancel. samssl saves its state and ends with 143. Slurm
#            itself requeues what it preempted; a time limit is answered as above; scancel is final.
#   an error of samssl, out of memory: the job ends with that code, and those that wait for it go.
#
# An interrupted job never ends with 0. A task of an array is such a job by itself. Variables:
#
#   SAMSSL              the program, perhaps with arguments                        (default: samssl)
#   SAMSSL_MAX_STALLED  how many restarts in a row may add nothing before the job fails (default: 5)

set -u
asked='' latest='' pid=''
# A task of an array is named by both numbers: the id of the last task alone means the whole array.
job=${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_}${SLURM_ARRAY_TASK_ID:-${SLURM_JOB_ID:-}}

# Remember the first signal and the latest, and pass on every one.
ask() {
  asked=${asked:-$1} latest=$1
  [[ -z $pid ]] || kill -s "$1" "$pid" 2> /dev/null
}
trap 'ask USR1' USR1
trap 'ask TERM' TERM

say() { printf '%s %s\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$*" >&2; }

# run_stage STAGE ARGUMENT...: the whole job.
run_stage() {
  local output restarts program code
  output=$(path_after_o "$@")
  restarts=$output.restarts${SLURM_ARRAY_TASK_ID:+-$SLURM_ARRAY_TASK_ID}
  program=("${SAMSSL:-samssl}") # a name or a path; else several words, quoted as in a shell
  command -v "${program[0]}" > /dev/null || mapfile -t program < <(xargs printf '%s\n' <<< "${program[0]}")
  [[ ${SLURM_NTASKS:-1} = 1 ]] || share_training
  # Where Slurm does not bind a job to its cores, torch would take all of the node.
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}

  say "job $job, restart ${SLURM_RESTART_COUNT:-0}, on $(hostname): ${program[*]} $*"
  fail_if_stalled "$output" "$restarts"
  work "${program[@]}" "$@"
  code=$?
  say "$1 ended with $code"
  case $code in
    85 | 143) requeue_or_leave "$code" ;;
  esac
  rm -f "$restarts"
  exit "$code"
}

# Several tasks are the processes of one training. They meet on the first node; srun passes signals on to
# all of them and gives the largest of their codes. One that fails is noticed by the others, which end; a
# node that is silent for ten minutes after that is not waited for.
share_training() {
  MASTER_ADDR=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
  MASTER_PORT=${MASTER_PORT:-$((20000 + SLURM_JOB_ID % 10000))}
  export MASTER_ADDR MASTER_PORT
  # shellcheck disable=SC2016  # the task expands them
  program=(srun --kill-on-bad-exit=0 --wait=600 --cpus-per-task="${SLURM_CPUS_PER_TASK:-1}" bash -c
    'RANK=$SLURM_PROCID WORLD_SIZE=$SLURM_NTASKS LOCAL_RANK=$SLURM_LOCALID exec "$@"' rank "${program[@]}")
}

# Run a command to its end, whatever signals arrive. Gives its code; 85 or 143 when a signal was faster.
work() {
  local code
  [[ -z $asked ]] || return "$(code_of "$asked")"
  "$@" &
  pid=$!
  [[ -z $asked ]] || kill -s "$asked" "$pid" 2> /dev/null # it came between the lines above
  while wait "$pid"; code=$?; kill -0 "$pid" 2> /dev/null; do :; done # a signal ends `wait` alone
  ((code <= 128)) || { wait "$pid"; code=$?; } # `wait` may have told of the signal, not of the end
  # Before its first line, Python dies of the signal instead of answering it.
  ((code != 128 + $(kill -l USR1))) || code=$(code_of USR1)
  return "$code"
}

code_of() { [[ $1 = USR1 ]] && echo 85 || echo 143; }

# requeue_or_leave CODE: end the job, and let it go on later if it was not cancelled.
requeue_or_leave() {
  case "$1 $(scontrol -o show job "$job")" in
    "85 "*" JobState=RUNNING "* | *" Reason=TimeLimit "*)
      say "back into the queue"
      # Slurm now ends this go; its code counts only where requeueing is refused.
      ! scontrol requeue "$job" || wait_for_end
      exit "$1" ;;
  esac
  exit 143 # cancelled, or preempted and already back in the queue
}

wait_for_end() {
  local n
  for ((n = 0; n < 60; n++)); do
    [[ $latest != TERM ]] || return 0
    sleep 1
  done
}

# Count the restarts that found what the one before had found, and end the job when there are too many.
# What other shards add counts as well, as long as they work.
fail_if_stalled() {
  local file=$2 found known='' stalled='' before=''
  found=$(find "$1.part" "$1.progress" -printf '%p\n' 2> /dev/null | LC_ALL=C sort | cksum)
  [[ ! -r $file ]] || read -r known stalled before < "$file"
  [[ "$known $before" = "$job $found" ]] && stalled=$((stalled + 1)) || stalled=0
  if ((stalled > ${SAMSSL_MAX_STALLED:-5})); then
    say "stopped $stalled times in a row before anything was saved: give it more time (TIME), let it" \
      "save more often (checkpoint_every), or be told earlier of the end (LEAD)"
    rm -f "$file"
    exit 1
  fi
  mkdir -p "$(dirname "$file")" && echo "$job $stalled $found" > "$file"
}

path_after_o() {
  while (($# > 1)) && [[ $1 != -o ]]; do shift; done
  echo "${2:-samssl}"
}
