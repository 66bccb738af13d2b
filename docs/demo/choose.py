"""Keep the best of several models: choose.py BEST MODEL... REPORT..."""

import json
import pickle
import sys
from pathlib import Path

best, *files = map(Path, sys.argv[1:])
reports = [json.loads(file.read_text()) for file in files if file.suffix == ".json"]
first = max(reports, key=lambda report: report["accuracy"])

model = pickle.loads(Path(first["model"]).read_bytes())
best.write_bytes(pickle.dumps({"forest": model, "report": first}))
print(json.dumps({"chosen": first["model"], "accuracy": first["accuracy"]}))
