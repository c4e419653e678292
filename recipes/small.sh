#!/bin/sh
# Make the model that comes with the package from a run of recipes/synthetic.sh: half precision, ONNX, card.
# Usage: recipes/small.sh FOLDER [OUT]   (FOLDER is what recipes/synthetic.sh wrote)
set -eu
folder=${1:?name the folder that recipes/synthetic.sh wrote}
root=$(cd "$(dirname "$0")/.." && pwd)
out=${2:-$root/src/radnet/models/small}

python3 - "$folder" "$out" <<'PYTHON'
import json
import sys
from pathlib import Path

from radnet.predict.ship import ship_run

folder, out = map(Path, sys.argv[1:])
works = [folder / "train", folder / "real", folder / "vendors/work"]
stores = [work / "4-volumes" for work in works if (work / "4-volumes/index.parquet").exists()]
told = {
    "What": "synthetic volumes of parametric bodies drawn from seeds; no scan and no label map of any person",
    "Made by": "recipes/synthetic.sh, then recipes/small.sh",
}
print(json.dumps(ship_run(folder / "train/5-pretrain/synthetic", stores, out, told), indent=1))
PYTHON
cat "$out/README.md"
