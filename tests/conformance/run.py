"""Runs a selection of OpenStack's own tests against the cloud of OS_*, and prints one table.

Selections are those of selections.json, or `regex:EXPRESSION` on test names, or `list:FILE`. Exit 0 when every
failure is listed in expected-failures.txt and every selected test has a result.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import results
from configure import Configuration

HERE = os.path.dirname(os.path.abspath(__file__))
EXPECTED = os.path.join(HERE, '..', 'compat', 'expected-failures.txt')


def selected(selection, ids):
    with open(os.path.join(HERE, 'selections.json')) as file:
        known = json.load(file)
    kind, _, value = selection.partition(':')
    if kind == 'regex':
        return [test for test in ids if re.search(value, test)]
    if kind == 'list':
        wanted = set(names(value))
        return [test for test in ids if results.bare(test) in wanted]
    if selection not in known:
        sys.exit(f'unknown selection {selection}; known: {", ".join(known)}, regex:EXPRESSION, list:FILE')
    rule = known[selection]
    attribute = re.compile(r'\[(?:.*,)?%s(?:,.*)?\]$' % rule.get('attribute', '.*'))
    return [test for test in ids if test.startswith(rule['package'] + '.') and attribute.search(test)]


def names(path):
    """The test names of a file, without comments."""
    with open(path) as file:
        lines = (line.split('#')[0].strip() for line in file)
        return [results.bare(line) for line in lines if line]


def every_test(env):
    """The ids Tempest has, listed by a process of their own: importing the tests needs the configuration."""
    listing = subprocess.run([sys.executable, __file__, '--list-all'], env=env, capture_output=True, text=True)
    if listing.returncode:
        sys.exit('cannot list the tests:\n' + listing.stderr[-3000:])
    ids = listing.stdout.split('\n')[:-1]
    broken = [test for test in ids if '_FailedTest' in test]
    if broken:
        sys.exit(f'{len(broken)} modules do not import, so that nothing could be counted: {broken[:4]}')
    return ids


def list_all():
    from tempest.test_discover import test_discover

    def walk(suite):
        for test in suite:
            if isinstance(test, unittest.TestSuite):
                yield from walk(test)
            else:
                yield test.id()
    out, sys.stdout = sys.stdout, sys.stderr      # modules may print when imported
    ids = sorted(set(walk(test_discover.load_tests(unittest.TestLoader(), None, None))))
    out.write(''.join(test + '\n' for test in ids))


def run(ids, workspace, env, options):
    """Runs the tests; the stream lies in the workspace even when the limit ends the run. True when it did."""
    import tempest
    top = os.path.dirname(tempest.__file__)
    with open(os.path.join(workspace, 'stestr.conf'), 'w') as file:
        file.write(f'[DEFAULT]\ntest_path={top}/test_discover\ntop_dir={top}\ngroup_regex=([^\\.]*\\.)*\n')
    with open(os.path.join(workspace, 'tests'), 'w') as file:
        file.write('\n'.join(ids) + '\n')
    command = [os.path.join(os.path.dirname(sys.executable), 'stestr'), '--config', 'stestr.conf', 'run', '--subunit',
               '--load-list', 'tests', '--concurrency', str(options.concurrency)]
    with open(os.path.join(workspace, 'stream'), 'wb') as out, open(os.path.join(workspace, 'stderr'), 'wb') as err:
        process = subprocess.Popen(command, cwd=workspace, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                   start_new_session=True)
        try:
            process.wait(options.limit)
            return False
        except subprocess.TimeoutExpired:
            return True
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):      # our own process group only
                if process.poll() is None:
                    os.killpg(process.pid, number)
                    try:
                        process.wait(5)
                    except subprocess.TimeoutExpired:
                        pass


def report(judged, show_reasons):
    """Prints the table and what failed; returns the number of failures that nobody expected."""
    print(results.table(judged))
    expected = set(names(EXPECTED))
    surprises = 0
    for test, (status, _, reason) in sorted(judged.items()):
        name = results.bare(test)
        if status in ('failed', 'notrun'):
            known = name in expected
            surprises += not known
            print(f'{status}{" (expected)" if known else ""}: {name}\n    {results.last_words(reason)}')
        elif status == 'passed' and name in expected:
            print(f'passes now, drop it from expected-failures.txt: {name}')
        elif status == 'skipped' and show_reasons:
            print(f'skipped: {name}\n    {results.last_words(reason)}')
    return surprises


def arguments():
    parser = argparse.ArgumentParser(prog='conformance.sh', description=__doc__)
    parser.add_argument('selection', nargs='?', default='smoke')
    parser.add_argument('--concurrency', '-c', type=int, default=2)
    parser.add_argument('--limit', '-t', type=int, default=1800, help='seconds for the whole run')
    parser.add_argument('--test-timeout', type=int, default=300)
    parser.add_argument('--workspace', help='where the configuration, logs and results go')
    parser.add_argument('--json', help='write the results there too')
    parser.add_argument('--list', action='store_true', help='only list what would run')
    parser.add_argument('--skipped', action='store_true', help='say why tests were skipped')
    return parser.parse_args()


def main():
    if sys.argv[1:] == ['--list-all']:
        return list_all()
    options = arguments()
    workspace = os.path.abspath(options.workspace or tempfile.mkdtemp(prefix='stackup-conformance.'))
    os.makedirs(workspace, exist_ok=True)
    configuration = Configuration(workspace, os.environ)
    configuration.write()
    for warning in configuration.warnings:
        print('warning: ' + warning, file=sys.stderr)
    env = {name: value for name, value in os.environ.items() if not name.startswith('OS_')}
    env.update(TEMPEST_CONFIG_DIR=workspace, TEMPEST_CONFIG='tempest.conf', PYTHONWARNINGS='ignore',
               OS_TEST_TIMEOUT=str(options.test_timeout))
    ids = selected(options.selection, every_test(env))
    if options.list:
        return print('\n'.join(ids))
    if not ids:
        sys.exit('the selection is empty')
    print(f'{options.selection}: {len(ids)} tests, {options.concurrency} at a time, workspace {workspace}', flush=True)
    start = time.monotonic()
    cut = run(ids, workspace, env, options)
    judged = results.judge(ids, results.read(os.path.join(workspace, 'stream')))
    surprises = report(judged, options.skipped)
    if options.json:
        with open(options.json, 'w') as file:
            json.dump({test: dict(zip(('status', 'seconds', 'reason'), result)) for test, result in judged.items()}, file, indent=1)
    passed = sum(result[0] == 'passed' for result in judged.values())
    print(f'{"cut by the limit of %d s; " % options.limit if cut else ""}wall {time.monotonic() - start:.0f} s')
    print(f'tempest {options.selection}: {passed} passed, {surprises} failed beyond the expected')
    return 1 if surprises else 0


if __name__ == '__main__':
    sys.exit(main())
