#!/usr/bin/env bash
# A Slurm cluster of one node, for as long as stdin stays open. Prints the path of its slurm.conf once it
# takes jobs; ends the jobs and the daemons and removes every file when stdin ends, so with its caller,
# however that comes to an end. By hand, in two terminals:
#
#   tests/slurm/single_node.sh                          # Ctrl-D ends it
#   SLURM_CONF=/tmp/slurm.XXXXXX/slurm.conf sinfo
#
# Needs root and, on Debian, apt-get install --no-install-recommends slurmctld slurmd slurm-client munge.
# No systemd, no cgroups, nothing in /etc: key, socket, state and logs are in a folder of its own. Four
# CPUs and two GPUs, all of them pretended.
#
# Partitions: batch, whose jobs are told 10 s before they are preempted; abrupt, whose jobs are not; and
# urgent, which preempts both. A requeued job is held for cred_expire + 1 seconds (2 minutes by default).
set -euo pipefail

[[ $(id -u) = 0 ]] || { echo "single_node.sh: needs root" >&2; exit 2; }
dir=$(mktemp -d /tmp/slurm.XXXXXX) # a short path: that of a socket may have 107 characters
export SLURM_CONF=$dir/slurm.conf
daemons=()

configure() {
  local host port memory_mb
  host=$(hostname -s)
  port=$((20000 + RANDOM % 10000))
  memory_mb=$(awk '/MemTotal/ {print int($2 * 0.9 / 1024)}' /proc/meminfo)
  mkdir -p "$dir"/{munge,run,state,spool,log}
  chmod 755 "$dir" "$dir"/{run,state,spool,log} # munged refuses what others can write
  chmod 700 "$dir/munge"
  (umask 077 && head -c 1024 /dev/urandom > "$dir/munge/key")
  echo "NodeName=$host Name=gpu File=/dev/null,/dev/zero" > "$dir/gres.conf"
  cat > "$SLURM_CONF" << CONF
ClusterName=samssl
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=$port
SlurmdPort=$((port + 1))
AuthType=auth/munge
AuthInfo=socket=$dir/run/munge.sock,cred_expire=5
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
ReturnToService=2
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/run/slurmd.pid
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
SlurmctldParameters=preempt_send_user_signal
SlurmdParameters=config_overrides
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=5
MinJobAge=3600
InactiveLimit=0
JobRequeue=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 CPUs=4 RealMemory=$memory_mb Gres=gpu:2 State=UNKNOWN
PartitionName=batch Nodes=ALL Default=YES PriorityTier=1 GraceTime=10 MaxTime=INFINITE State=UP
PartitionName=abrupt Nodes=ALL PriorityTier=1 GraceTime=0 MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=ALL PriorityTier=10 PreemptMode=off MaxTime=INFINITE State=UP
CONF
}

start() {
  munged --foreground --key-file="$dir/munge/key" --socket="$dir/run/munge.sock" \
    --pid-file="$dir/run/munged.pid" --log-file="$dir/log/munged.log" --seed-file="$dir/munge/seed" &
  daemons+=($!)
  wait_until [ -S "$dir/run/munge.sock" ] || return
  slurmctld -D -c > /dev/null 2>&1 &
  daemons+=($!)
  slurmd -D > /dev/null 2>&1 &
  daemons+=($!)
  wait_until is_idle
}

is_idle() { [[ $(sinfo -h -p batch -o %T 2> /dev/null) = idle ]]; }

wait_until() {
  for _ in $(seq 200); do
    ! "$@" || return 0
    kill -0 "${daemons[@]}" || return
    sleep 0.1
  done
  return 1
}

stop() {
  trap '' TERM INT HUP EXIT
  if ((${#daemons[@]} == 3)); then # or the processes of the jobs outlive us
    scancel --full --signal=KILL --user=root 2> /dev/null
    scancel --user=root 2> /dev/null
    for _ in $(seq 60); do
      [[ -n $(squeue -h 2> /dev/null) ]] || break
      sleep 0.2
    done
  fi
  kill "${daemons[@]}" 2> /dev/null
  for _ in $(seq 50); do
    [[ -n $(jobs -rp) ]] || break
    sleep 0.1
  done
  kill -KILL "${daemons[@]}" 2> /dev/null
  wait
  rm -rf "$dir"
}

trap 'set +e; stop' EXIT
trap 'exit 143' TERM INT HUP
configure
start || { echo "the node did not come up:" >&2; tail -n 5 "$dir"/log/*.log >&2; exit 1; }
echo "$SLURM_CONF"
cat > /dev/null
