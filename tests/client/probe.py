"""Makes one call of the Python client and prints what came of it: the commands of probe.c."""
import os
import signal
import sys
import time

import ranksweep


def many(n, step):
    return not ranksweep.report_dict({"m%d" % i: i for i in range(int(n))}, None if float(step) < 0 else float(step))


def full():
    fd = int(os.environ["RANKSWEEP_METRIC_FD"])
    os.set_blocking(fd, False)
    try:
        while True:
            os.write(fd, b"\n" * 4096)
    except BlockingIOError:
        print("full", flush=True)
    return not ranksweep.report(m=1)


def metric(name, value, step=None):
    return not ranksweep.report_dict({name: float(value)}, step)


def ids():
    print(ranksweep.study, ranksweep.phase, ranksweep.trial, ranksweep.unit, ranksweep.attempt, ranksweep.seed,
          ranksweep.fold, ranksweep.folds, ranksweep.outer_fold, ranksweep.outer_folds, ranksweep.directory or "none",
          int(ranksweep.resume))


def wait(margin=None):
    ranksweep.init()
    print("ready", flush=True)
    while not ranksweep.should_stop(margin and float(margin)):
        time.sleep(0.005)
    print("stopping, says another file: %d" % ranksweep._stop)
    ranksweep.requeue()


def chain():
    called = []
    signal.signal(signal.SIGTERM, lambda number, frame: called.append(number))
    ranksweep.init()
    os.kill(os.getpid(), signal.SIGTERM)
    print(int(ranksweep.should_stop()), len(called))


def children():
    ranksweep.init()
    for asks in 0, 1:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            stops = asks and ranksweep.should_stop()
            os.kill(os.getpid(), signal.SIGTERM)
            os._exit(75 if not stops and ranksweep.should_stop() else 1)
        status = os.waitpid(child, 0)[1]
        print("signal" if os.WIFSIGNALED(status) else "status",
              os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
    print(int(ranksweep.should_stop()))


commands = {
    "many": many, "full": full, "metric": metric, "ids": ids, "wait": wait, "chain": chain, "children": children,
    "now": lambda: print(int(ranksweep.should_stop())),
    "text": lambda name, default: print(ranksweep.param(name, default)),
    "int": lambda name, default: print(ranksweep.param(name, int(default))),
    "real": lambda name, default: not ranksweep.report(v=ranksweep.param(name, float(default))),
    "bool": lambda name, default: print(ranksweep.param(name, default == "True")),
}
sys.exit(commands[sys.argv[1]](*sys.argv[2:]))
