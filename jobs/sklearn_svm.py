"""A support vector machine on the digits, as one would write it without any runner in mind."""

import argparse

import numpy as np
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="jobs/data/digits.csv")
    parser.add_argument("--C", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=0.001)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--fold", type=int, default=0)
    args = parser.parse_args()

    table = np.loadtxt(args.data, delimiter=",")
    x, y = table[:, :-1], table[:, -1].astype(int)
    splits = list(StratifiedKFold(args.folds, shuffle=True, random_state=0).split(x, y))
    train, valid = splits[args.fold]

    model = SVC(C=args.C, gamma=args.gamma).fit(x[train], y[train])
    print(f"fold {args.fold}: {len(train)} rows for training, {len(valid)} for validation")
    print(f"accuracy: {model.score(x[valid], y[valid]):.4f}")


if __name__ == "__main__":
    main()
