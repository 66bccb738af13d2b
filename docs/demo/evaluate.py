"""Measure a model on data that it has not seen: evaluate.py MODEL TEST REPORT"""

import json
import pickle
import sys
from pathlib import Path

import numpy as np

model, test, report = map(Path, sys.argv[1:])
rows = np.loadtxt(test, delimiter=",", dtype=int)
found = pickle.loads(model.read_bytes()).predict(rows[:, 1:])

accuracy = round(float(np.mean(found == rows[:, 0])), 3)
report.parent.mkdir(exist_ok=True)
report.write_text(json.dumps({"model": str(model), "accuracy": accuracy}) + "\n")
print(json.dumps({"accuracy": accuracy}))
