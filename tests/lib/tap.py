# SPDX-License-Identifier: GPL-2.0-or-later
"""A small test runner that speaks TAP.

Functions `test_*` of the main module are tests. So are the methods `test_*` of classes `Test*`;
those share one instance, whose `setup(...)` and `teardown()` run around all of them, and the first
failing one fails the rest. Parameters of a test function, or of a class's `setup`, are filled by
name from what the surroundings offer (see `Surroundings`).

Every function, and every class, runs in a process of its own: a test that hangs, crashes or
leaves threads behind is ended without harm to the next.
"""

import argparse
import inspect
import json
import os
import select
import signal
import sys
import tempfile
import time
import traceback

from namespaces import die_with_parent
from wait import PATIENCE

DEFAULT_TIMEOUT = 60
GRACE = 20          # what a timed-out test may take to gather its diagnostics


class Skip(Exception):
    """Raised by skip()."""


class TimedOut(BaseException):
    """Not an Exception, so that a test's own `except` does not swallow it."""


class Surroundings:
    """Where tests run: this one is just the process. tests/lib/host.py has the private host."""

    def open(self):
        """Once for the file, before the first test. May raise Skip: then all tests are skipped."""

    def enter(self):
        """In the process of one test: returns what the test's parameters are filled from."""
        return {}

    def check(self):
        """After the body of each test: raises where something is wrong all the same."""

    def diagnostics(self):
        """After a failure, still in the test's process: lines worth showing."""
        return []

    def leave(self):
        """At the end of the test's process, failed or not."""


def skip(reason):
    """Ends the running test as skipped."""
    raise Skip(reason)


def timeout(seconds):
    """Decorator: how long this test may take."""
    def mark(function):
        function.tap_timeout = seconds
        return function
    return mark


class Test:
    """One line of the output; `call` is given the fixtures."""

    def __init__(self, function, name):
        self.name = name
        self.seconds = round(getattr(function, "tap_timeout", DEFAULT_TIMEOUT) * PATIENCE)
        doc = (inspect.getdoc(function) or "").split("\n\n", 1)[0].replace("\n", " ")
        self.title = f"{name}: {doc}" if doc else name


class FunctionGroup:
    """A test function: a group of one."""

    def __init__(self, function):
        self.function = function
        self.tests = [Test(function, function.__name__)]

    def run(self, fixtures, run_test):
        run_test(self.tests[0], lambda: call_with(self.function, fixtures))


class ClassGroup:
    """A class of tests that build on one another."""

    def __init__(self, cls):
        self.cls = cls
        self.methods = [m for n, m in vars(cls).items() if n.startswith("test_") and callable(m)]
        self.tests = [Test(m, f"{cls.__name__}.{m.__name__}") for m in self.methods]

    def run(self, fixtures, run_test):
        instance = self.cls()
        pending = getattr(instance, "setup", None)
        good = True
        for test, method in zip(self.tests, self.methods):
            def body(method=method):
                nonlocal pending
                if not good:
                    raise AssertionError("a test before this one failed")
                if pending:
                    setup, pending = pending, None
                    call_with(setup, fixtures)
                method(instance)
            good = run_test(test, body) and good
        if hasattr(instance, "teardown"):
            instance.teardown()


def call_with(function, fixtures):
    """Calls function with those fixtures that it names."""
    wanted = inspect.signature(function).parameters
    missing = [name for name in wanted if name not in fixtures]
    if missing:
        raise TypeError(f"nothing here offers {', '.join(missing)}")
    function(**{name: fixtures[name] for name in wanted})


def discover(module):
    """The groups of a module, in the order of its text."""
    groups = []
    for name, thing in list(vars(module).items()):
        if getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing) and name.startswith("test_"):
            groups.append(FunctionGroup(thing))
        elif inspect.isclass(thing) and name.startswith("Test"):
            groups.append(ClassGroup(thing))
    return groups


def on_alarm(_number, _frame):
    raise TimedOut()


def kill_group(leader):
    try:
        os.killpg(leader, signal.SIGKILL)
    except ProcessLookupError:
        pass


class TestProcess:
    """The side of a test's process: runs a group, writes one JSON line per event to `fd`."""

    def __init__(self, surroundings, fd):
        self.surroundings = surroundings
        self.events = os.fdopen(fd, "w")

    def say(self, **event):
        self.events.write(json.dumps(event) + "\n")
        self.events.flush()

    def run_test(self, test, body):
        self.say(start=test.name, seconds=test.seconds)
        started = time.monotonic()
        result = {"ok": True}
        signal.signal(signal.SIGALRM, on_alarm)
        signal.alarm(test.seconds)
        try:
            body()
            self.surroundings.check()
        except Skip as reason:
            result = {"ok": True, "skip": str(reason) or "no reason given"}
        except TimedOut:
            result = {"ok": False,
                      "why": f"took longer than {test.seconds} s\n{traceback.format_exc()}"}
        except Exception:           # pylint: disable=broad-except
            result = {"ok": False, "why": traceback.format_exc()}
        finally:
            signal.alarm(0)
        if not result["ok"]:
            result["notes"] = self.diagnostics()
        self.say(end=test.name, took=time.monotonic() - started, **result)
        return result["ok"] and "skip" not in result

    def diagnostics(self):
        try:
            return list(self.surroundings.diagnostics())
        except Exception:           # pylint: disable=broad-except
            return ["the diagnostics failed:"] + traceback.format_exc().splitlines()

    def run(self, group):
        fixtures = self.surroundings.enter()
        try:
            group.run(fixtures, self.run_test)
        finally:
            self.surroundings.leave()


class Runner:
    """The side that prints."""

    def __init__(self, surroundings, verbose):
        self.surroundings = surroundings
        self.verbose = verbose
        self.number = 0
        self.failed = 0
        self.current = None         # the process of the running test, leader of its group

    def run(self, groups):
        print(f"1..{sum(len(group.tests) for group in groups)}", flush=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.on_end)
        try:
            self.surroundings.open()
        except Skip as reason:
            for group in groups:
                for test in group.tests:
                    self.report(test, {"ok": True, "skip": str(reason)})
            return 0
        except Exception as error:  # pylint: disable=broad-except
            print(f"Bail out! {str(error).splitlines()[0] if str(error) else error!r}")
            traceback.print_exc()
            return 1
        for group in groups:
            self.run_group(group)
        return 1 if self.failed else 0

    def on_end(self, number, _frame):
        """Told to end: so must the running test, with all that it started."""
        if self.current:
            kill_group(self.current)
        os._exit(128 + number)

    def run_group(self, group):
        with tempfile.TemporaryFile() as output:
            sys.stdout.flush()
            sys.stderr.flush()
            reader, writer = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(reader)
                self.child(group, writer, output)
            self.current = pid
            os.close(writer)
            results, last_words = self.follow(pid, reader)
            os.close(reader)
            _, status = os.waitpid(pid, 0)
            kill_group(pid)             # what the test left running
            self.current = None
            for test in group.tests:
                result = results.get(test.name) or {"ok": False, "why": last_words(status)}
                output.seek(0)
                text = output.read().decode(errors="replace").splitlines()
                if not result["ok"] or self.verbose:
                    result.setdefault("notes", []).extend(["printed by the test:"] + text[-100:])
                self.report(test, result)
            code = os.waitstatus_to_exitcode(status)
            if code and len(results) == len(group.tests) and all(r["ok"] for r in results.values()):
                self.failed += 1        # as in its teardown
                print(f"# all passed, and yet the process ended with {code}", flush=True)

    def child(self, group, writer, output):
        """Never returns: a test's process must not run on into the runner's code."""
        code = 1
        try:
            os.setpgid(0, 0)
            die_with_parent()
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            TestProcess(self.surroundings, writer).run(group)
            code = 0
        except BaseException:       # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    @staticmethod
    def follow(pid, reader):
        """Collects the events of one process and kills it when it stays silent for too long."""
        results = {}
        deadline = time.monotonic() + DEFAULT_TIMEOUT + GRACE
        why = "its process ended before the test did"
        pending = b""
        while True:
            ready, _, _ = select.select([reader], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(reader, 65536) if ready else b""
            if not ready:
                why = "hung, and its process had to be killed"
                kill_group(pid)
                break
            if not chunk:
                break
            pending += chunk
            *lines, pending = pending.split(b"\n")
            for line in lines:
                event = json.loads(line)
                deadline = time.monotonic() + event.get("seconds", DEFAULT_TIMEOUT) + GRACE
                if "end" in event:
                    results[event["end"]] = event
        return results, lambda status: f"{why} ({os.waitstatus_to_exitcode(status)})"

    def report(self, test, result):
        self.number += 1
        words = "ok" if result["ok"] else "not ok"
        tail = f" # {result.get('took', 0):.1f}s"
        if "skip" in result:
            tail = f" # SKIP {result['skip']}"
        print(f"{words} {self.number} - {test.title}{tail}")
        if not result["ok"]:
            self.failed += 1
            print("".join(f"#   {line}\n" for line in result.get("why", "").splitlines()), end="")
        print("".join(f"#   | {line}\n" for line in result.get("notes", [])), end="", flush=True)


def chosen(groups, patterns):
    """Only the tests whose name has one of the patterns in it; a class runs whole or not at all."""
    if not patterns:
        return groups
    return [g for g in groups if any(p in t.name for t in g.tests for p in patterns)]


def main(surroundings=None):
    """Runs the tests of the main module and exits."""
    options = argparse.ArgumentParser(description="runs the tests of this file, prints TAP")
    options.add_argument("name", nargs="*", help="run only tests with this in their name")
    options.add_argument("-l", "--list", action="store_true", help="list the tests")
    options.add_argument("-v", "--verbose", action="store_true",
                         help="show what passing tests print")
    arguments = options.parse_args()
    groups = chosen(discover(sys.modules["__main__"]), arguments.name)
    if arguments.list:
        print("".join(f"{test.title}\n" for group in groups for test in group.tests), end="")
        sys.exit(0)
    sys.exit(Runner(surroundings or Surroundings(), arguments.verbose).run(groups))
