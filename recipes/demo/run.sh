#!/bin/sh
# The whole chain on a small synthetic archive: from DICOM files to a page.
# Usage: recipes/demo/run.sh FOLDER
set -eu
folder=${1:-demo}

[ -e "$folder/truth.csv" ] || radnet synthesize "$folder" --preset demo
radnet run "$folder/archive" --work "$folder/work"
radnet predict "$folder/archive" --work "$folder/work" --out "$folder/predictions.parquet"
radnet report --work "$folder/work"
radnet status --work "$folder/work"
echo
echo "The page: $folder/work/8-report/index.html"
