#!/bin/sh
# The paper's labels, made public: all CT and MR series of its 57 collections that the Imaging Data Commons holds.
# Usage: recipes/paper/labels.sh FOLDER
set -eu
folder=${1:?name a folder to write}
root=$(cd "$(dirname "$0")/../.." && pwd)
version=25.0.5
index=$folder/index/idc_index_data/idc_index.parquet

[ -e "$index" ] || {
    python3 -m pip download --quiet --no-deps --dest "$folder/index" "idc-index-data==$version"
    python3 -m zipfile -e "$folder/index/idc_index_data-$version-py3-none-any.whl" "$folder/index"
}
radnet release "$index" --paper --out "$folder/labels" \
    --gold "$root/tests/golden/header_texts.csv" \
    --gold "$root/tests/golden/header_texts_head_neck.csv" \
    --gold "$root/tests/golden/header_texts_sequences.csv"
(cd "$folder/labels" && sha256sum -c SHA256SUMS)
echo
echo "The data card: $folder/labels/README.md"
