"""Split the handwritten digits that scikit-learn ships into data/train.csv and data/test.csv."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

digits = load_digits()
rows = np.column_stack([digits.target, digits.data]).astype(int)

Path("data").mkdir(exist_ok=True)
for name, part in zip(("train", "test"), train_test_split(rows, random_state=0), strict=True):
    np.savetxt(f"data/{name}.csv", part, fmt="%d", delimiter=",")
