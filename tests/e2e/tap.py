# SPDX-License-Identifier: BSD-3-Clause
"""Runs the unittest cases of the calling file and prints TAP, which meson and deploy/check count case by case."""
import signal
import sys
import time
import traceback
import unittest

import lab


def explain(error):
    """The exception and where our own code raised it; unittest's frames say nothing."""
    kind, value, trace = error
    frames = [frame for frame in traceback.extract_tb(trace) if "/unittest/" not in frame.filename]
    return "".join(traceback.format_list(frames) + traceback.format_exception_only(kind, value))


class TapResult(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0
        self.began = 0.0

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()

    def report(self, ok, test, directive="", detail=""):
        self.count += 1
        name = test.shortDescription() or test.id().removeprefix("__main__.")
        scope = type(test).__name__ if isinstance(test, unittest.TestCase) else "setup"
        print(f"{'ok' if ok else 'not ok'} {self.count} - {scope}: {name}{directive}".replace("\n", " "))
        for line in detail.rstrip().splitlines():
            print(f"# {line}")
        if ok and not directive:
            print(f"# {time.monotonic() - self.began:.1f} s")
        sys.stdout.flush()

    def addSuccess(self, test):
        super().addSuccess(test)
        self.report(True, test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.report(True, test, f" # SKIP {reason}")

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.report(False, test, detail=explain(error))

    def addError(self, test, error):
        super().addError(test, error)
        self.report(False, test, detail=explain(error))

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.report(False, test, f" {subtest._subDescription()}", explain(error))


def end(number, _):
    """The one exception that unittest does not take for a failed test."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    names = sys.argv[1:] or None
    loader = unittest.defaultTestLoader
    suite = loader.loadTestsFromNames(names, sys.modules["__main__"]) if names else \
        loader.loadTestsFromModule(sys.modules["__main__"])
    result = TapResult()
    try:
        suite.run(result)
        print(f"1..{result.count}")
    except KeyboardInterrupt as interrupt:
        print(f"Bail out! {interrupt}", flush=True)
        sys.exit(1)
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        lab.close_all()
    sys.exit(0 if result.wasSuccessful() else 1)
