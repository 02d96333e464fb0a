#!/usr/bin/python3
"""The runs of bench_search with Optuna's samplers: the same tasks, the same lines of JSON.

    optuna_search.py --tasks A,B [--tools X,Y] [--seeds 0..29] [--trials 200] [--workers 1]
    optuna_search.py --at 100,1000
        Milliseconds of cpu time for one proposal of 10 mixed parameters after so many random trials.

Everything is Optuna's default but the seed; tpe_mv is TPE with multivariate=True, tpe5 is the TPE of Optuna 5.0,
made of an Optuna 3.1 (class Tpe5; other ones before 5.0 are passed over). A point is evaluated by
`bench_search --evaluate` ($BENCH_SEARCH). Exit status 3: there is no Optuna.
"""
import argparse
import contextlib
import heapq
import json
import os
import random
import statistics
import subprocess
import sys
import time
import warnings
from unittest import mock

for threads in "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS":
    os.environ[threads] = "1"
try:
    import numpy
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.samplers._tpe import _truncnorm
    from optuna.samplers._tpe.parzen_estimator import _ParzenEstimator
except ImportError:
    sys.exit(3)
try:
    from scipy.special import log_ndtr, ndtr, ndtri_exp
    QUICK = {"_ndtr": ndtr, "_log_ndtr": log_ndtr, "_ndtri_exp": ndtri_exp}
except ImportError:
    QUICK = {}
HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.environ.get("BENCH_SEARCH", os.path.join(HERE, "../../build/tests/bench/bench_search"))


class Parzen5(_ParzenEstimator):
    """The mixture of Optuna 5.0: the width of a kernel comes from its neighbours, also with several parameters."""

    def __init__(self, observations, search_space, *rest):
        """Choices are drawn first."""
        choices = {name: d for name, d in search_space.items() if isinstance(d, CategoricalDistribution)}
        super().__init__(observations, choices | search_space, *rest)

    def _precompute_sigmas0(self, observations):
        return None  # no width that all kernels have

    def _calculate_numerical_params(self, observations, param_name):
        """The prior is no neighbour of the others, which have at least a share of the range."""
        whole = self._parameters
        self._parameters = whole._replace(consider_prior=False, consider_magic_clip=False, multivariate=False)
        mus, sigmas = super()._calculate_numerical_params(observations, param_name)
        self._parameters = whole
        if not len(observations):
            return mus, sigmas  # the prior's alone
        low, high = self._low[param_name], self._high[param_name]
        least = (high - low) / min(100, 2 + len(observations))
        return numpy.append(mus, (low + high) / 2), numpy.append(numpy.maximum(sigmas, least), high - low)

    def log_pdf(self, samples_dict):
        """A density has its kernel's width below it, which 3.1 leaves out; a log integer x has the mass between
        x - 1/2 and x + 1/2 rather than the density at x."""
        samples, whole = dict(samples_dict), self._weights
        for name, d in self._search_space.items():
            if isinstance(d, FloatDistribution):
                self._weights = self._weights / self._sigmas[name]
            elif isinstance(d, IntDistribution) and d.log:
                x = samples[name]
                samples[name] = numpy.sqrt((x - 0.5) * (x + 0.5))  # its logarithm is the middle of the two
                self._q[name] = numpy.log((x + 0.5) / (x - 0.5))
        logs = super().log_pdf(samples)
        self._weights = whole
        return logs


class Tpe5(optuna.samplers.TPESampler):
    """The defaults of Optuna 5.0's TPESampler, and group=True, which is there for parameters with conditions;
    without conditions it changes nothing but the order of the parameters. The same seed gives the same trials
    as 5.0."""

    def __init__(self, seed):
        super().__init__(seed=seed, multivariate=True, group=True, constant_liar=True)

    def sample_relative(self, study, trial, search_space):
        with as_in_5():
            return super().sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution):
        with as_in_5():
            return super().sample_independent(study, trial, param_name, param_distribution)


@contextlib.contextmanager
def as_in_5():
    """Optuna's functions of the normal distribution are loops over numbers; scipy's, where it is there, give the
    same in half the time."""
    with (mock.patch("optuna.samplers._tpe.sampler._ParzenEstimator", Parzen5),
          mock.patch.dict(_truncnorm.__dict__, QUICK)):
        yield


SAMPLERS = {
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
    "tpe": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "tpe_mv": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
}
if optuna.__version__.startswith("3.1."):
    SAMPLERS["tpe5"] = Tpe5
elif not optuna.__version__.startswith(("3.", "4.")):
    SAMPLERS["tpe5"] = lambda seed: optuna.samplers.TPESampler(seed=seed, group=True)


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
            for tool in o.tools:
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
    o.tools = [tool for tool in o.tools.split(",") if tool in SAMPLERS]
    if not o.at:
        run_all(o)
        return
    for tool in o.tools:
        for trials in map(int, o.at.split(",")):
            first, median = measure(tool, trials)
            print(json.dumps({"tool": "optuna_" + tool, "trials": trials, "first_ms": round(first, 3),
                              "median_ms": round(median, 3)}), flush=True)


if __name__ == "__main__":
    main()
