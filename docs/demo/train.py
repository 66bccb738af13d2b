"""Grow a forest of trees of the given depth: train.py TRAIN MODEL --depth N"""

import argparse
import json
import pickle
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier

parser = argparse.ArgumentParser()
parser.add_argument("train")
parser.add_argument("model")
parser.add_argument("--depth", type=int, required=True)
arguments = parser.parse_args()

rows = np.loadtxt(arguments.train, delimiter=",", dtype=int)
held_out, kept = rows[:300], rows[300:]
forest = RandomForestClassifier(max_depth=arguments.depth, warm_start=True, random_state=0)
for trees in (5, 10, 20, 40):
    forest.set_params(n_estimators=trees).fit(kept[:, 1:], kept[:, 0])
    accuracy = forest.score(held_out[:, 1:], held_out[:, 0])
    print(json.dumps({"trees": trees, "validation": round(accuracy, 3)}))

Path(arguments.model).parent.mkdir(exist_ok=True)
Path(arguments.model).write_bytes(pickle.dumps(forest))
