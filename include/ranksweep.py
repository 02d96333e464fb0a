"""What a training program needs of ranksweep, in a few calls. One file, Python 3.6 or later, no other packages.

    import ranksweep

    lr = ranksweep.param("lr", 0.1)
    epoch = 0
    ranksweep.init()
    if ranksweep.resume:
        epoch = load(ranksweep.directory)
    while epoch < 20:
        error = train(lr)
        epoch += 1
        ranksweep.report(step=epoch, valid_error=error)
        if ranksweep.should_stop():
            save(ranksweep.directory, epoch)
            ranksweep.requeue()

A program runs by hand unchanged: then parameters have the values given here, metrics go to stdout, there is no
directory, and should_stop() tells of TERM only. Importing it does nothing but read the environment.

params          dict of the trial's parameters and those of the trials it comes after ("lr", "pretrain.lr")
directory       the folder that this unit keeps over its attempts; None: it has none
resume          True when that folder holds files of an earlier attempt: go on from there
deadline        end of the unit's timeout or of the allocation in epoch seconds; None: there is none
study, phase, trial, unit, attempt, seed, fold, folds, outer_fold, outer_folds
                who this is. By hand: "", 0, attempt 1, seed 1, and -1 for "not in a fold"
"""
import json as _json
import os as _os
import re as _re
import select as _select
import signal as _signal
import stat as _stat
import sys as _sys
import threading as _threading
import time as _time

__all__ = ["params", "param", "report", "report_dict", "init", "should_stop", "requeue", "REQUEUE", "directory", "resume",
           "deadline", "study", "phase", "trial", "unit", "attempt", "seed", "fold", "folds", "outer_fold", "outer_folds"]

# Exit status: "I have saved what I need; run me again". Not a failure.
REQUEUE = 75


def _number(name, default, kind=int):
    try:
        return kind(_os.environ.get(name, ""))
    except ValueError:
        return default


def _read_params(text):
    """A dict, and whether the text was an object of plain values."""
    try:
        found = _json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}, False
    if not isinstance(found, dict) or any(isinstance(v, (dict, list)) for v in found.values()):
        return {}, False
    return {k: v for k, v in found.items() if v is not None}, True


params, _sound = _read_params(_os.environ.get("RANKSWEEP_PARAMS"))
directory = _os.environ.get("RANKSWEEP_DIR") or None
resume = directory is not None and _os.environ.get("RANKSWEEP_RESUME") == "1"
deadline = _number("RANKSWEEP_DEADLINE", None, float)
study = _os.environ.get("RANKSWEEP_STUDY", "")
phase = _os.environ.get("RANKSWEEP_PHASE", "")
trial = _number("RANKSWEEP_TRIAL", 0)
unit = _number("RANKSWEEP_UNIT", 0)
attempt = _number("RANKSWEEP_ATTEMPT", 1)
seed = _number("RANKSWEEP_SEED", 1)
fold = _number("RANKSWEEP_FOLD", -1)
folds = _number("RANKSWEEP_FOLDS", 0)
outer_fold = _number("RANKSWEEP_OUTER_FOLD", -1)
outer_folds = _number("RANKSWEEP_OUTER_FOLDS", 0)


# ---- parameters ---------------------------------------------------------------------------------------------

def _as_bool(value):
    words = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    return words[_as_str(value).lower()]


def _as_int(value):
    number = value if isinstance(value, (int, float)) else _parse(value)
    if number != int(number):
        raise ValueError
    return int(number)


def _parse(text):
    try:
        return int(text)
    except ValueError:
        return float(text)


def _as_str(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, float) else str(value)


_LIKE = {bool: (_as_bool, "neither true nor false"), int: (_as_int, "no whole number"), float: (float, "no number"),
         str: (_as_str, "")}


def param(name, default=None):
    """The parameter `name`, in the type of `default` (bool, int, float, str); `default` where there is none.

    ValueError when the value does not fit that type. With None the value is what it is in `params`."""
    global _sound
    if not _sound:
        _sound = True
        print("ranksweep: RANKSWEEP_PARAMS is no JSON object of plain values: it is ignored", file=_sys.stderr)
    if name not in params:
        return default
    if type(default) not in _LIKE:
        return params[name]
    convert, what = _LIKE[type(default)]
    try:
        return convert(params[name])
    except (ValueError, KeyError, OverflowError):
        raise ValueError("ranksweep: parameter %s is %.100r, %s" % (name, params[name], what)) from None


# ---- metrics ------------------------------------------------------------------------------------------------

_NAME = _re.compile(r"[A-Za-z_./:@%,][A-Za-z0-9_./:@%,+-]{0,63}\Z")
_LINE_BYTES, _LINE_VALUES = 4000, 128  # below PIPE_BUF: lines of several writers never mix


def _text(value):
    """The shortest of 15 to 17 digits that reads back as value."""
    value = float(value)
    for digits in (15, 16, 17):
        text = "%.*g" % (digits, value)
        if float(text) == value:
            break
    return text


def _metric_fd():
    """The metric descriptor, or None. RANKSWEEP_METRIC_PIPE tells which pipe it was: a program in between (another
    mpirun, subprocess) may have closed it, and the number be a file or socket of somebody else."""
    fd, which = _number("RANKSWEEP_METRIC_FD", -1), _os.environ.get("RANKSWEEP_METRIC_PIPE")
    try:
        found = _os.fstat(fd)
    except (OSError, OverflowError):
        return None
    if which is not None and not (_stat.S_ISFIFO(found.st_mode) and which == str(found.st_ino)):
        return None
    return fd


def _write(fd, data):
    while data:
        try:
            data = data[_os.write(fd, data):]
        except BlockingIOError:
            _select.select([], [fd], [])


def _send(words):
    fd = _metric_fd()
    if fd is None:
        _sys.stdout.write("@metric " + " ".join(words) + "\n")
        _sys.stdout.flush()
        return True
    try:
        _write(fd, (" ".join(words) + "\n").encode())
    except OSError:  # nobody reads any more
        return False
    return True


def report_dict(metrics, step=None):
    """Report metrics of any names, several in one line: {"valid/error": 0.03}. False: nobody reads them any more.

    Names: letters, digits and _.-/:@%+, (at most 64, not a digit or sign first). Values: whatever float() takes; NaN
    and infinity too. A line goes to the metric descriptor or else to stdout: end your own line there first. In an MPI
    program one rank should report."""
    words, sent = [], True
    end = [] if step is None else ["step=" + _text(step)]
    if end and "n" in end[0][5:]:
        raise ValueError("ranksweep: metrics of a step that is not finite: %r" % (step,))
    for name in metrics:
        if not _NAME.match(name) or name == "step":
            raise ValueError("ranksweep: metric %.100r: a name has letters, digits and _.-/:@%%+, (at most 64, not a digit "
                             "or sign first)" % (name,))
    for name, value in metrics.items():
        word = name + "=" + _text(value)
        if len(words) == _LINE_VALUES or sum(map(len, words)) + len(words) + len(word) > _LINE_BYTES - 50:
            sent = _send(words + end) and sent
            words = []
        words.append(word)
    return (_send(words + end) if words else True) and sent


def report(step=None, **metrics):
    """Report metrics: report(step=3, train_loss=0.2, valid_error=0.03)."""
    return report_dict(metrics, step)


# ---- stopping -----------------------------------------------------------------------------------------------

_pid = None  # of the process that has asked; None: the handler is not installed
_stop = False
_before = None
_margin = None


def _on_term(number, frame):
    global _stop
    if _os.getpid() != _pid:  # forked later (multiprocessing), and does not ask should_stop()
        _signal.signal(number, _before if _before is not None else _signal.SIG_DFL)
        _os.kill(_os.getpid(), number)
        return
    _stop = True
    if callable(_before):
        _before(number, frame)


def init():
    """From here on TERM no longer ends the program: it makes should_stop() true. A handler that was there is called
    too. Once is enough, from the main thread; should_stop() does it where it was not done."""
    global _pid, _before, _margin
    if _pid == _os.getpid():
        return
    if _margin is None:
        _margin = 0.0 if deadline is None else min(5.0, (deadline - _time.time()) / 4)
    if _pid is None:
        if _threading.current_thread() is not _threading.main_thread():
            return
        _before = _signal.getsignal(_signal.SIGTERM)
        _signal.signal(_signal.SIGTERM, _on_term)
    _pid = _os.getpid()


def should_stop(margin=None):
    """True when it is time to save and to call requeue(): TERM was seen, or the deadline is nearer than `margin`
    seconds; by default 5, or a quarter of the time where that is less."""
    init()
    if _stop:
        return True
    return deadline is not None and deadline - _time.time() <= (_margin if margin is None else margin)


def requeue():
    """End the program with status 75: run me again. From the main thread."""
    _sys.exit(REQUEUE)
