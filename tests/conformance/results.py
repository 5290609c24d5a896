"""Reads a subunit stream and gives every selected test exactly one status.

A class whose setUpClass failed counts each of its tests as failed, one whose setUpClass skipped counts them as
skipped. A selected test without a result (time limit, dead worker) is `notrun`: it never counts as passed.
"""
import collections
import re

import subunit
import testtools

COLUMNS = ('total', 'passed', 'failed', 'skipped', 'notrun')
FIXTURE = re.compile(r'^(setUpClass|setUpModule|tearDownClass|tearDownModule) \((.+)\)$')
STATUS = {'success': 'passed', 'fail': 'failed', 'skip': 'skipped', 'xfail': 'skipped', 'uxsuccess': 'failed'}
WORST_FIRST = ['failed', 'passed', 'skipped', 'notrun']


def bare(test_id):
    """The dotted name, without the attributes in brackets."""
    return re.sub(r'\[[^\[\]]*\]$', '', test_id)


def class_of(test_id):
    return bare(test_id).split('(')[0].rsplit('.', 1)[0]


def area_of(test_id):
    """The row of the table a test belongs to, such as api.compute.servers."""
    parts = class_of(test_id).split('.')[1:-2]
    return '.'.join(parts[:3]) or 'tempest'


def read(path):
    """{id: [(status, seconds, reason)]} of a stream that may be cut off."""
    found = collections.defaultdict(list)

    def reason(details):
        if 'reason' in details:
            return details['reason'].as_text().strip()
        traces = sorted(name for name in details if name.startswith('traceback'))
        return details[traces[0]].as_text().strip() if traces else ''

    def note(test):
        if test['id'] is None or test['status'] == 'exists':
            return
        start, stop = test['timestamps']
        seconds = (stop - start).total_seconds() if start and stop else None
        found[test['id']].append((STATUS.get(test['status'], 'notrun'), seconds, reason(test['details'])))

    stream = testtools.StreamToDict(note)
    stream.startTestRun()
    with open(path, 'rb') as file:
        try:
            subunit.ByteStreamToStreamResult(file, non_subunit_name='stdout').run(stream)
        except Exception as error:      # the last packet of a run that was ended may be torn
            print(f'the result stream ends early: {error}')
    stream.stopTestRun()
    return found


def judge(ids, found):
    """{id: (status, seconds, reason)} with one entry for every selected test."""
    setups = {}
    for name, results in found.items():
        fixture = FIXTURE.match(name)
        if fixture and fixture[1].startswith('setUp'):
            worst = min(results, key=lambda result: WORST_FIRST.index(result[0]))
            if worst[0] in ('failed', 'skipped'):
                setups[fixture[2]] = (worst[0], 0.0, f'{fixture[1]}: {worst[2]}')
    judged = {}
    for test in ids:
        results = [result for result in found.get(test, []) if result[0] != 'notrun']
        if results:
            judged[test] = min(results, key=lambda result: WORST_FIRST.index(result[0]))
        else:
            name = class_of(test)
            judged[test] = setups.get(name) or setups.get(name.rsplit('.', 1)[0]) or ('notrun', None, 'no result')
    return judged


def table(judged):
    """One line an area and one for the total, as text."""
    rows = collections.defaultdict(collections.Counter)
    for test, (status, _, _) in judged.items():
        for row in (area_of(test), 'TOTAL'):
            rows[row].update({'total': 1, status: 1})
    width = max(len(name) for name in rows)
    lines = [f'{"":{width}}' + ''.join(f'{column:>9}' for column in COLUMNS)]
    for name in sorted(rows, key=lambda name: (name == 'TOTAL', name)):
        lines.append(f'{name:{width}}' + ''.join(f'{rows[name][column]:9}' for column in COLUMNS))
    return '\n'.join(lines)


def last_words(reason):
    """The line of a traceback that says what was wrong."""
    lines = [line.strip() for line in reason.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r'[\w.]+(Error|Exception|Mismatch\w*|Found|Timeout\w*|Fault|[A-Z]\w+): ', line)]
    return (telling or lines or ['no reason given'])[-1][:300]
