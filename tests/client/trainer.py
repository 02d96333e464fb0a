"""trainer.c in Python: the same epochs, the same numbers, the same misfortunes."""
import os
import signal
import sys
import time

import ranksweep

EPOCHS = 20
terms = []


class Training:
    def __init__(self, start):
        self.epoch, self.random, self.weight = 0, start, 0.0

    def step(self, lr):
        self.random = (self.random * 6364136223846793005 + 1442695040888963407) % 2**64
        self.weight += lr * ((self.random >> 11) / 9007199254740992.0 - self.weight)
        self.epoch += 1
        return 1 / (1 + self.weight * self.weight)

    def load(self):
        with open(in_dir("state")) as f:
            epoch, rng, weight = f.read().split()
        self.epoch, self.random, self.weight = int(epoch), int(rng), float.fromhex(weight)

    def save(self):
        """Beside its place and then into it: whoever reads finds the old state or the new one, whole."""
        if not ranksweep.directory:
            return False
        with open(in_dir("state.new"), "w") as f:
            f.write("%d %d %s\n" % (self.epoch, self.random, self.weight.hex()))
        os.replace(in_dir("state.new"), in_dir("state"))
        return True


def in_dir(name):
    return os.path.join(ranksweep.directory, name)


def is_first():
    """Only once: a file in the directory remembers it, where there is one."""
    if not ranksweep.directory:
        return ranksweep.attempt == 1
    try:
        os.close(os.open(in_dir("seen"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def suffer(epoch):
    if os.environ.get("DIE_AT") == str(epoch) and is_first():
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get("WAIT_AT") == str(epoch) and is_first():
        while not ranksweep.should_stop(-1e9 if "WAIT_FOR" in os.environ else None):
            time.sleep(0.005)


signal.signal(signal.SIGTERM, lambda number, frame: terms.append(number))
ranksweep.init()
lr = ranksweep.param("lr", 0.1)
t = Training(ranksweep.param("start", 1))
if ranksweep.resume:
    try:
        t.load()
    except FileNotFoundError:
        print("nothing to go on from", file=sys.stderr)
ranksweep.report(step=ranksweep.attempt, began_at=t.epoch + 1)
while t.epoch < EPOCHS:
    suffer(t.epoch + 1)
    if ranksweep.should_stop():
        t.save()
        ranksweep.report(terms=len(terms))
        ranksweep.requeue()
    error = t.step(lr)
    ranksweep.report(step=t.epoch, valid_error=error)
    t.save()
ranksweep.report_dict({"layer%d/weight" % i: t.weight + i for i in range(300)}, t.epoch)
