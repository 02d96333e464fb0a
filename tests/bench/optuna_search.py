#!/usr/bin/python3
"""The runs of bench_search with Optuna's samplers: the same tasks, the same lines of JSON.

    optuna_search.py --tasks A,B [--tools X,Y] [--seeds 0..29] [--trials 200] [--workers 1]
    optuna_search.py --at 100,1000
        Milliseconds of cpu time for one proposal of 10 mixed parameters after so many random trials.

Everything is Optuna's default but the seed; tpe_mv is TPE with multivariate=True. A point is evaluated by
`bench_search --evaluate` ($BENCH_SEARCH). Exit status 3: there is no Optuna.
"""
import argparse
import heapq
import json
import os
import random
import statistics
import subprocess
import sys
import time
import warnings

for threads in "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS":
    os.environ[threads] = "1"
try:
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
except ImportError:
    sys.exit(3)
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.environ.get("BENCH_SEARCH", os.path.join(HERE, "../../build/tests/bench/bench_search"))
SAMPLERS = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "tpe_mv": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
}


class Task:
    def __init__(self, name):
        self.name, self.params, self.when, self.facts = name, [], {}, {}
        with open(f"{HERE}/tasks/{name}.csv", encoding="ascii") as f:
            for words in (line[1:].split() for line in f if line[0] == "#"):
                self.read(*words)
        self.program = subprocess.Popen([PROGRAM, "--evaluate", name, "--dir", HERE + "/tasks"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self, key, name, *words):
        if key == "param":
            self.params.append((name, distribution(*words)))
        elif key == "when":
            self.when[name] = words[0], words[1:]
        else:
            self.facts[key] = name

    def suggest(self, trial):
        """What the trial proposes, by name, without what is not active."""
        point = {}
        for name, d in self.params:
            parent, choices = self.when.get(name, (None, ()))
            if parent and point.get(parent) not in choices:
                continue
            if isinstance(d, CategoricalDistribution):
                point[name] = trial.suggest_categorical(name, d.choices)
            elif isinstance(d, IntDistribution):
                point[name] = trial.suggest_int(name, d.low, d.high, log=d.log)
            else:
                point[name] = trial.suggest_float(name, d.low, d.high, log=d.log)
        return point

    def value(self, point):
        """Metric and seconds."""
        self.program.stdin.write(" ".join(f"{name}={value}" for name, value in point.items()) + "\n")
        self.program.stdin.flush()
        return [float(word) for word in self.program.stdout.readline().split()]


def distribution(kind, *words):
    if kind == "cat":
        return CategoricalDistribution(words)
    if kind == "int":
        return IntDistribution(int(words[1]), int(words[2]), log=words[0] == "log")
    return FloatDistribution(float(words[1]), float(words[2]), log=words[0] == "log")


def run(task, tool, seed, trials, workers):
    """Metrics, and what they took, in the order in which the trials end."""
    study = optuna.create_study(direction=task.facts["direction"], sampler=SAMPLERS[tool](seed))
    times, busy, values, took, begun, now = random.Random(seed), [], [], [], 0, 0.0
    while len(values) < trials:
        while len(busy) < workers and begun < trials:
            trial = study.ask()
            value, seconds = task.value(task.suggest(trial))
            if "function" in task.facts:
                seconds = 0.5 + times.random()
            heapq.heappush(busy, (now + seconds, begun, trial, value, seconds))
            begun += 1
        now, _, trial, value, seconds = heapq.heappop(busy)
        study.tell(trial, value)
        values.append(value)
        took.append(seconds)
    return values, took


def run_all(o):
    tasks = {name: Task(name) for name in o.tasks.split(",")}
    mode = "seq" if o.workers == 1 else f"par{o.workers}"
    first, last = map(int, o.seeds.split(".."))
    for seed in range(first, last + 1):
        for name, task in tasks.items():
            for tool in o.tools.split(","):
                start = time.process_time()
                values, took = run(task, tool, seed, o.trials, o.workers)
                line = {"tool": "optuna_" + tool, "task": name, "mode": mode, "seed": seed,
                        "values": [float(f"{v:.9g}") for v in values],
                        "seconds": [float(f"{v:.6g}") for v in took],
                        "cpu": round(time.process_time() - start, 3)}
                print(json.dumps(line), flush=True)


def one_trial(study, task):
    """From its proposal to its end: milliseconds of the proposal."""
    start = time.process_time()
    trial = study.ask()
    point = task.suggest(trial)
    took = time.process_time() - start
    study.tell(trial, task.value(point)[0])
    return 1e3 * took


def measure(tool, trials):
    """(the first proposal, the median of those that follow)"""
    task = Task("mixed10")
    study = optuna.create_study(sampler=SAMPLERS["random"](1))
    for _ in range(trials):
        one_trial(study, task)
    study.sampler = SAMPLERS[tool](1)
    first, took = one_trial(study, task), []
    while len(took) < 101 and (len(took) < 3 or sum(took) < 3000):
        took.append(one_trial(study, task))
    return first, statistics.median(took)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--tools", default=",".join(SAMPLERS))
    ap.add_argument("--tasks")
    ap.add_argument("--seeds", default="0..29")
    ap.add_argument("--trials", type=int, default=200)
    ap.add_argument("--workers", type=int, default=1)
    ap.add_argument("--at")
    o = ap.parse_args()
    warnings.filterwarnings("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    if not o.at:
        run_all(o)
        return
    for tool in o.tools.split(","):
        for trials in map(int, o.at.split(",")):
            first, median = measure(tool, trials)
            print(json.dumps({"tool": "optuna_" + tool, "trials": trials, "first_ms": round(first, 3),
                              "median_ms": round(median, 3)}), flush=True)


if __name__ == "__main__":
    main()
