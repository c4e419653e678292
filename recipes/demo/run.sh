#!/bin/sh
# The whole chain on a small synthetic archive: from DICOM files to a page, and to livers outlined.
# Usage: recipes/demo/run.sh FOLDER
set -eu
folder=${1:-demo}

[ -e "$folder/truth.csv" ] || radnet synthesize "$folder" --preset demo
radnet run "$folder/archive" --work "$folder/work"
radnet predict "$folder/archive" --work "$folder/work" --out "$folder/predictions.parquet" --outline
radnet report --work "$folder/work"
radnet status --work "$folder/work"
echo
echo "The page: $folder/work/8-report/index.html"
for picture in "$folder"/work/7-predict/outlines/*.png; do
    echo "A liver outlined: $picture, with its mask as NIfTI and DICOM SEG beside it"
    break
done
