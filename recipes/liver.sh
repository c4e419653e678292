#!/bin/sh
# The real study at small size: does a pretrained network help where few livers are annotated? Frozen, fine-tuned
# and from scratch on 2, 4 and 12 scans, beside MONAI's UNet, with equal time for every run. Goes on where it stopped.
# Usage: recipes/liver.sh DATA MODEL OUT [SECONDS_A_RUN [EXECUTOR [LABELS]]]
#   DATA      scans with masks (docs/reference/scans-with-masks.md)
#   MODEL     folder of a pretrained model, as radnet pretrain leaves it
#   OUT       tables.md, scores.csv, differences.csv, figures/, index.html
#   SECONDS_A_RUN  of training steps; 57 runs of 30 s are 28.5 minutes of steps, and tables.md tells what came on top
#   EXECUTOR  serial: a run at a time on all cores; processes: a run a core
#   LABELS    numbers in the masks that are the liver, where the data does not name them
set -eu
data=${1:?name the folder with scans and masks}
model=${2:?name the folder of a pretrained model}
out=${3:?name a folder to write}
seconds=${4:-30}
executor=${5:-serial}
labels=${6:-}
config=$(cd "$(dirname "$0")" && pwd)/liver.toml
minutes=$(awk "BEGIN { print $seconds / 60 }")

radnet study grid "$config" "$data" --model "$model" --out "$out" \
    --max-minutes "$minutes" --executor "$executor" ${labels:+--labels "$labels"}
radnet study show "$out"
echo "The page: $out/index.html"
