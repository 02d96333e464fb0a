"""Any sampler of Optuna as the search of a phase:  search: {program: python3 jobs/optuna_search.py --sampler tpe}

Says on its stdout which point to try next, a JSON line for each that it is asked for on its stdin, and hears there
what became of the trials: see "A search of your own" in the README. It keeps nothing: a run that goes on tells it
of all trials first. It needs Debian's python3-optuna.
"""

import argparse
import json
import sys

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

SAMPLERS = {
    "tpe": lambda seed: optuna.samplers.TPESampler(
        seed=seed, multivariate=True, constant_liar=True, warn_independent_sampling=False),
    "cmaes": lambda seed: optuna.samplers.CmaEsSampler(seed=seed, warn_independent_sampling=False),
    "nsga2": lambda seed: optuna.samplers.NSGAIISampler(seed=seed),
    "qmc": lambda seed: optuna.samplers.QMCSampler(seed=seed),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED}  # the rest has failed, for Optuna


def distribution(name, p):
    if p["type"] == "choice":
        return CategoricalDistribution(p["choices"])
    if p["type"] == "normal" or isinstance(p["low"], str) or isinstance(p["high"], str):
        sys.exit(f"{name}: Optuna has no normal distribution, and no bounds that depend on other parameters")
    if p["type"] == "int":
        return IntDistribution(p["low"], p["high"], log=p["log"], step=p.get("step", 1))
    return FloatDistribution(p["low"], p["high"], log=p["log"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sampler", choices=SAMPLERS, default="tpe")
    sampler = SAMPLERS[parser.parse_args().sampler]

    opening = json.loads(sys.stdin.readline())
    space = {name: distribution(name, p) for name, p in opening["params"].items()}
    goals = opening.get("metrics", {opening["metric"]: opening["goal"]})
    study = optuna.create_study(directions=list(goals.values()), sampler=sampler(opening["seed"]))
    asked = {}  # trials of ours without an end, by the question they answer

    def tell(id, state, params={}, value=None, values={}, **_):
        if state == "open":  # ours is open for Optuna since it was asked for; another is told of at its end
            return
        state = STATES.get(state, TrialState.FAIL)
        values = (list(values.values()) or [value]) if state == TrialState.COMPLETE else None
        if id in asked:
            study.tell(asked.pop(id), values, state)
        elif params:  # of an earlier run, or enqueued
            known = {name: space[name] for name in params}
            study.add_trial(optuna.trial.create_trial(
                state=state, params=params, distributions=known, values=values))

    for line in sys.stdin:
        message = json.loads(line)
        if "tell" in message:
            tell(**message["tell"])
            continue
        id = message["ask"]["id"]
        asked[id] = study.ask(space)  # what is not active in a trial is passed over by ranksweep
        print(json.dumps({"id": id, "params": asked[id].params}), flush=True)


if __name__ == "__main__":
    main()
