#!/usr/bin/env bash
# The whole loop, command by command, on made-up patients: about 5 minutes on two CPU cores.
# For your own data, leave out the first command and give your folder to preprocess.
set -euo pipefail
mkdir -p quickstart && cd quickstart

# Eight training cases of which one is labeled, and four test cases, in the nnU-Net layout.
python -c "
from pathlib import Path
from samssl_cli.volumes.phantom import make_phantom_dataset
make_phantom_dataset(Path('data'), num_train=8, num_labeled=1, num_test=4)
"

# 1. Check the data set, and bring it to one grid and intensity scale.
samssl preprocess data -o cases.zarr --labeled 1 --recipe quick

# 2. Train the specialist on one labeled and seven unlabeled cases.
samssl train-ssl cases.zarr -o specialist.zarr --recipe quick --steps 200

# 3. Let it predict the unlabeled cases and say where to look.
samssl prompt cases.zarr specialist.zarr -o prompts.zarr --recipe quick

# 4. Let the generalist answer; here the labeled case itself, registered to each image. With SAM:
#    samssl sam-label cases.zarr prompts.zarr -o pseudo.zarr --generalist sam --checkpoint sam_vit_b_01ec64.pth
samssl sam-label cases.zarr prompts.zarr -o pseudo.zarr --recipe quick

# 5. Train a student on the true label and the pseudo-labels.
samssl retrain cases.zarr pseudo.zarr -o student.zarr --recipe quick --steps 200

# 6. Score both on the test cases, and write a page to look at: report/report.html
samssl evaluate cases.zarr specialist.zarr -o specialist-scores.zarr --recipe quick
samssl evaluate cases.zarr student.zarr -o student-scores.zarr --recipe quick \
  --report report --beside specialist=specialist-scores.zarr

# Is the student better, or was it luck?
samssl compare specialist=specialist-scores.zarr student=student-scores.zarr

# A second round is three more commands, with the student in the place of the specialist.
samssl prompt cases.zarr student.zarr -o prompts-2.zarr --recipe quick
samssl sam-label cases.zarr prompts-2.zarr -o pseudo-2.zarr --recipe quick
samssl retrain cases.zarr pseudo-2.zarr -o student-2.zarr --recipe quick --steps 200

# Look at what was made, and use it on new images.
samssl show student.zarr
samssl predict student.zarr data/imagesTs -o predictions
