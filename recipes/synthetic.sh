#!/bin/sh
# Pretrain on synthetic volumes alone, and measure it: first on real scans, which never train, then on synthetic
# patients, a body family and scanner protocols that training never saw.
# Usage: recipes/synthetic.sh FOLDER [REAL_ARCHIVE [VOLUMES PATIENTS EPOCHS]]
set -eu
folder=${1:?name a folder to write}
real=${2:-}
volumes=${3:-16000}
patients=${4:-160}
epochs=${5:-5}
shape=24,96,96
config=$(cd "$(dirname "$0")" && pwd)/synthetic.toml
train=$folder/train
run=$train/5-pretrain/synthetic

# what trains, and the patients of its test split
[ -e "$train/3-labels" ] || radnet synthesize "$train" --volumes "$volumes" --patients "$patients" --seed 7 \
    --shape "$shape"
radnet pretrain --work "$train" --run synthetic --config "$config" --epochs "$epochs"

if [ -n "$real" ]; then
    radnet run "$real" --work "$folder/real" --until volumes
    radnet evaluate "$run" --work "$folder/real" --split all --name real
fi
radnet evaluate "$run" --work "$train" --split test --name unseen-patients

# bodies of 150 kg: the family that training lacks
heavy=$folder/heavy
[ -e "$heavy/3-labels" ] ||
    radnet synthesize "$heavy" --volumes "$((volumes / 16))" --patients 6 --seed 70 --shape "$shape" \
        --weight-kg 150
radnet evaluate "$run" --work "$heavy" --split all --name heavy-bodies

# series as four vendors write them, found and labelled by the whole chain
[ -e "$folder/vendors/truth.csv" ] || radnet synthesize "$folder/vendors" --patients 8 --seed 71
radnet run "$folder/vendors/archive" --work "$folder/vendors/work" --until volumes
radnet evaluate "$run" --work "$folder/vendors/work" --split all --name vendors

for name in real unseen-patients heavy-bodies vendors; do
    [ ! -e "$run/evaluation/$name" ] || { echo "## $name"; cat "$run/evaluation/$name/table1.md"; }
done
