"""The texts of a folder as the input of count.yaml: {"texts": [{"name", "text"}, ...]}."""

import json
import pathlib
import sys

texts = sorted(pathlib.Path(sys.argv[1]).glob("*.txt"))
print(json.dumps({"texts": [{"name": path.name, "text": path.read_text()} for path in texts]}))
