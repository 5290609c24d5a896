"""Runs named steps, says ok or FAILED for each, and counts."""
import json
import sys
import time
import traceback


class Story:
    """A sequence of steps against one cloud. A failed step does not end it: what follows says what it lacks."""

    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failed = []
        self.started = time.monotonic()

    def step(self, name, action, check=None):
        """Runs `action()`; the step passes when it does not raise and `check(result)` is true (or absent)."""
        try:
            result = action()
            if check is not None and not check(result):
                raise AssertionError('unexpected answer: ' + json.dumps(result, default=str)[:600])
        except (Exception, SystemExit) as error:
            return self._failed(name, error)
        self.passed += 1
        print(f'ok      {name}', flush=True)
        return result

    def _failed(self, name, error):
        self.failed.append(name)
        text = str(error) or type(error).__name__
        if isinstance(error, (KeyError, TypeError, AttributeError, IndexError)):
            text = traceback.format_exception_only(error)[-1].strip()
        print(f'FAILED  {name}: {text}', flush=True)
        return None

    def end(self):
        """Prints the total; the exit status is 0 only when every step passed."""
        wall = time.monotonic() - self.started
        for name in self.failed:
            print(f'failed: {name}', file=sys.stderr)
        print(f'{self.name}: {self.passed} passed, {len(self.failed)} failed in {wall:.0f} s', flush=True)
        return 1 if self.failed else 0
