#!/bin/bash
# Train a specialist on the labeled and the unlabeled cases.
#
#   sbatch train-ssl.sh CASES -o SPECIALIST [OPTION]...
#
# as for `samssl train-ssl`. Common to all stages, and what happens on signals: stage.sh.
#SBATCH --job-name=train-ssl
#SBATCH --output=%x_%j.log --open-mode=append
#SBATCH --requeue --signal=B:USR1@300
#SBATCH --nodes=1 --ntasks=1 --cpus-per-task=8 --mem=32G --time=12:00:00 --gres=gpu:1

# Slurm runs a copy of this script, so it cannot look beside itself.
# shellcheck source-path=SCRIPTDIR source=stage.sh
source "${SAMSSL_SLURM:-$SLURM_SUBMIT_DIR/pipelines/slurm}/stage.sh" || exit
run_stage train-ssl "$@"
