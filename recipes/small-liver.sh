#!/bin/sh
# Make the liver segmenter that comes with the package: trained on synthetic CT and MR alone, measured on scans
# with masks that you name.
# Usage: recipes/small-liver.sh FOLDER MODEL [OUT [NAME=DATA[:LABELS]]…]
#   FOLDER  what is made on the way
#   MODEL   folder of a pretrained model, as recipes/synthetic.sh leaves it
#   OUT     where the segmenter goes
#   NAME=DATA:LABELS  scans for the card, real ones first, e.g. mr=scans/mr:1 ct=scans/ct
set -eu
folder=${1:?name a folder to write}
model=${2:?name the folder of a pretrained model}
root=$(cd "$(dirname "$0")/.." && pwd)
out=${3:-$root/src/radnet/models/liver}
shift "$(($# < 3 ? $# : 3))"
run=$folder/run

[ -e "$folder/livers/truth.csv" ] || radnet synthesize "$folder/livers" --preset livers --patients 96 --seed 31
[ -e "$folder/strangers/truth.csv" ] || radnet synthesize "$folder/strangers" --preset livers --patients 12 --seed 32
radnet transfer "$folder/livers" --model "$model" --out "$run" --config "$root/recipes/small-liver.toml"

names=
for set in "$@" "synthetic=$folder/strangers"; do
    name=${set%%=*} place=${set#*=}
    data=${place%:*} labels=
    [ "$data" = "$place" ] || labels=${place##*:}
    radnet evaluate "$run" --data "$data" --name "$name" ${labels:+--labels "$labels"}
    names="$names $name"
done

# shellcheck disable=SC2086 # names are words
python3 - "$run" "$folder/strangers" "$out" $names <<'PYTHON'
import json
import sys

from radnet.transfer.ship import ship_segmenter_run

run, data, out, *names = sys.argv[1:]
told = {
    "What": "synthetic CT and MR of parametric bodies drawn from seeds; no scan and no mask of any person",
    "Made by": "recipes/synthetic.sh, then recipes/small-liver.sh",
}
print(json.dumps(ship_segmenter_run(run, data, out, told, names), indent=1))
PYTHON
cat "$out/README.md"
