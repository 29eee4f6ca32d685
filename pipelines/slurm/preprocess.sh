#!/bin/bash
# Check a data set and bring it to one grid and intensity scale.
#
#   sbatch preprocess.sh DATA -o CASES [OPTION]...
#
# as for `samssl preprocess`. Common to all stages, and what happens on signals: stage.sh.
#SBATCH --job-name=preprocess
#SBATCH --output=%x_%j.log --open-mode=append
#SBATCH --requeue --signal=B:USR1@300
#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=8 --mem=32G --time=4:00:00

# Slurm runs a copy of this script, so it cannot look beside itself.
# shellcheck source-path=SCRIPTDIR source=stage.sh
source "${SAMSSL_SLURM:-$SLURM_SUBMIT_DIR/pipelines/slurm}/stage.sh" || exit
run_stage preprocess --workers "${SLURM_CPUS_PER_TASK:-1}" "$@"
