#!/bin/bash
# RF-DETR on two nodes of four GPUs, a worker for each:
#
#   sbatch train.sh recipes/mine.yaml
#
# Checked for syntax, not run on a cluster. For processors in place of GPUs: --cpus-per-task=16 and no --gpus-per-task.
#SBATCH --job-name=rfdetr
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=8
#SBATCH --time=12:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@120 # two minutes before the time is over: a checkpoint, and an end

recipe=${1:?usage: sbatch train.sh RECIPE}
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK TF_NUM_INTRAOP_THREADS=$SLURM_CPUS_PER_TASK

# Where a worker is lost, the others end by themselves; --resume goes on from the last checkpoint.
srun --kill-on-bad-exit=0 npx rfdetr-train --recipe "$recipe" --run checkpoints/mine --resume --workers slurm
code=$?
case $code in
  0) echo "done" ;;
  3 | 75) scontrol requeue "$SLURM_JOB_ID" ;; # stopped, or a worker was lost: once more
  *) exit $code ;;                            # something that a person has to mend
esac
