"""Measures an ephemeral cloud: start, memory, requests, servers. Prints one table with what is aimed at beside it.

The load comes from wrk, so that the generator is not the bottleneck. "CPU ms" is the server's own CPU time for each
request, from /proc: it hardly moves with what else the machine does, so it is the figure to compare between runs.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'compat'))
from cloud import ephemeral  # noqa: E402

TICKS = os.sysconf('SC_CLK_TCK')


class Table:
    """Rows as they come, and all of them as JSON at the end."""

    def __init__(self):
        self.rows = []
        print(f'{"work":44}{"rate /s":>10}{"p50 ms":>10}{"CPU ms":>10}  {"aim":22}note', flush=True)

    def row(self, work, rate=None, p50=None, cpu=None, aim='', note=''):
        self.rows.append(dict(work=work, rate=rate, p50_ms=p50, cpu_ms=cpu, aim=aim, note=note))

        def cell(value):
            return f'{"-":>10}' if value is None else f'{value:>10.3g}' if value < 100 else f'{value:>10,.0f}'
        print(f'{work:44}{cell(rate)}{cell(p50)}{cell(cpu)}  {aim:22}{note}', flush=True)


class Cloud:
    """An ephemeral cloud with a token, seen from outside."""

    def __init__(self, ready):
        self.ready, self.pid = ready, ready['pid']
        self.login = {'auth': {'identity': {'methods': ['password'], 'password': {'user': {
            'name': ready['username'], 'domain': {'id': 'default'}, 'password': ready['password']}}},
            'scope': {'project': {'name': ready['project'], 'domain': {'id': 'default'}}}}}
        self.auth = ready['auth_url'].rstrip('/').removesuffix('/v3') + '/v3'
        self.token = ''
        _, headers, body = self.call('POST', self.auth + '/auth/tokens', self.login)
        self.token = headers['X-Subject-Token']
        self.project = body['token']['project']['id']

    def url(self, service, path=''):
        return self.ready['endpoints'][service].rstrip('/') + path

    def call(self, method, url, body=None, headers=()):
        """(status, headers, parsed body); an error status is an answer too."""
        request = urllib.request.Request(url, method=method, data=json.dumps(body).encode() if body is not None else None, headers={
            'Content-Type': 'application/json', 'X-Auth-Token': self.token, **dict(headers)})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, answer.headers, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode(errors='replace')

    def must(self, method, url, body=None, headers=()):
        status, _, answer = self.call(method, url, body, headers)
        if status >= 400:
            raise RuntimeError(f'{method} {url}: {status} {str(answer)[:120]}')
        return answer

    def cpu(self):
        """CPU seconds used so far by the server."""
        with open(f'/proc/{self.pid}/stat') as file:
            fields = file.read().rsplit(')', 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def pss(self):
        """Proportional memory in MB."""
        with open(f'/proc/{self.pid}/smaps_rollup') as file:
            return int(re.search(r'^Pss:\s+(\d+)', file.read(), re.M)[1]) / 1024


def wrk(cloud, method, url, body=None, headers=(), clients=8, seconds=5):
    """(rate, p50 in ms, CPU ms each, failed requests) under load."""
    lines = [f'wrk.method = {json.dumps(method)}', f'wrk.headers["X-Auth-Token"] = {json.dumps(cloud.token)}',
             'wrk.headers["Content-Type"] = "application/json"']
    lines += [f'wrk.headers[{json.dumps(name)}] = {json.dumps(value)}' for name, value in headers]
    if body is not None:
        lines.append(f'wrk.body = [==[{json.dumps(body)}]==]')
    lines += ['done = function(summary, latency, requests)',
              '  io.stderr:write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.duration,',
              '    latency:percentile(50), summary.errors.status + summary.errors.connect + summary.errors.read'
              ' + summary.errors.timeout))', 'end']
    with tempfile.NamedTemporaryFile('w', suffix='.lua') as script:
        script.write('\n'.join(lines))
        script.flush()
        before = cloud.cpu()
        run = subprocess.run(['wrk', '-t1', f'-c{clients}', f'-d{seconds}s', '--timeout', '30s', '-s', script.name, url],
                             stdin=subprocess.DEVNULL, capture_output=True, text=True)
        used = cloud.cpu() - before
    found = re.search(r'RESULT (\d+) (\d+) (\d+) (\d+)', run.stderr)
    if not found or int(found[1]) == 0:
        raise RuntimeError('no request was answered: ' + run.stderr.strip()[-200:])
    requests, duration, p50, errors = map(int, found.groups())
    return requests / duration * 1e6, p50 / 1000, used / requests * 1000, errors


class Bench:
    def __init__(self, binary, seconds):
        self.binary, self.seconds, self.table = binary, seconds, Table()

    def attempt(self, work, action):
        """Measures one row; what the cloud cannot do yet is a row too."""
        try:
            action()
        except Exception as error:
            self.table.row(work, note=f'not measured: {error}'[:110])

    def load(self, work, method, url, body=None, headers=(), clients=8, aim=''):
        def measure():
            self.cloud.must(method, url, body, headers)
            rate, p50, cpu, errors = wrk(self.cloud, method, url, body, headers, clients, self.seconds)
            self.table.row(work, rate, p50, cpu, aim, f'{errors} requests failed' if errors else '')
        self.attempt(work, measure)

    def starts(self, times=5):
        walls = []
        for _ in range(times):
            start = time.monotonic()
            with ephemeral(self.binary, subprocess.DEVNULL):
                walls.append((time.monotonic() - start) * 1000)
        self.table.row('exec to every API answering', p50=statistics.median(walls), aim='<= 1000 ms wall')

    def idle(self, seconds=10):
        time.sleep(1)
        before, start = self.cloud.cpu(), time.monotonic()
        time.sleep(seconds)
        minute = (self.cloud.cpu() - before) / (time.monotonic() - start) * 60
        self.table.row('idle memory', aim='<= 100 MB', note=f'{self.cloud.pss():.1f} MB (PSS)')
        self.table.row('idle CPU', aim='<= 0.1 s a minute', note=f'{minute:.2f} s a minute')

    def requests(self):
        cloud = self.cloud
        self.load('GET /identity/v3, no auth', 'GET', cloud.auth, aim='<= 0.02 CPU ms')
        self.load('token by password', 'POST', cloud.auth + '/auth/tokens', cloud.login, aim='<= 1.5')
        self.load('token validation', 'GET', cloud.auth + '/auth/tokens', headers=[('X-Subject-Token', cloud.token)], aim='<= 0.05')
        self.load('project list', 'GET', cloud.auth + '/projects', aim='<= 0.1')
        for work, service, path, aim in (
                ('image list', 'image', '/v2/images', '<= 0.1'),
                ('flavor list', 'compute', '/flavors/detail', ''),
                ('servers detail, none', 'compute', '/servers/detail', '<= 0.1'),
                ('allocation candidates', 'placement', '/allocation_candidates?resources=VCPU:1,MEMORY_MB:64', '<= 0.1'),
                ('network list', 'network', '/v2.0/networks', '')):
            if service in cloud.ready['endpoints']:
                headers = [('OpenStack-API-Version', 'placement 1.36')] if service == 'placement' else []
                self.load(work, 'GET', cloud.url(service, path), headers=headers, aim=aim)
            else:
                self.table.row(work, note=f'no {service} service')
        if 'network' in cloud.ready['endpoints']:
            self.attempt('port create', self.ports)

    def ports(self):
        networks = self.cloud.url('network', '/v2.0')
        network = self.cloud.must('POST', networks + '/networks', {'network': {'name': 'bench'}})['network']['id']
        self.cloud.must('POST', networks + '/subnets', {'subnet': {'network_id': network, 'ip_version': 4, 'cidr': '10.128.0.0/9'}})
        self.cloud.must('PUT', networks + f'/quotas/{self.cloud.project}', {'quota': {'port': -1}})
        self.load('port create', 'POST', networks + '/ports', {'port': {'network_id': network}}, aim='<= 1')
        self.load('port list, 1000 a page', 'GET', networks + f'/ports?network_id={network}&limit=1000', clients=1, aim='<= 10')

    def servers(self):
        cloud = self.cloud
        compute, image = cloud.url('compute'), self.image()
        flavor = cloud.must('POST', compute + '/flavors', {'flavor': {'name': 'bench', 'ram': 64, 'vcpus': 1, 'disk': 1}})['flavor']['id']
        network = cloud.must('POST', cloud.url('network', '/v2.0/networks'), {'network': {'name': 'bench-servers'}})['network']['id']
        cloud.must('POST', cloud.url('network', '/v2.0/subnets'), {'subnet': {'network_id': network, 'ip_version': 4, 'cidr': '10.127.0.0/16'}})
        cloud.must('PUT', compute + f'/os-quota-sets/{cloud.project}', {'quota_set': {'instances': -1, 'cores': -1, 'ram': -1}})
        body = {'server': {'name': 'bench', 'imageRef': image, 'flavorRef': flavor, 'networks': [{'uuid': network}]}}

        def boot(_=None):
            start = time.monotonic()
            server = f'{compute}/servers/' + cloud.must('POST', compute + '/servers', body)['server']['id']
            while (status := cloud.must('GET', server)['server']['status']) == 'BUILD':
                time.sleep(0.002)
            if status != 'ACTIVE':
                raise RuntimeError(f'a server became {status}')
            return (time.monotonic() - start) * 1000

        before = cloud.cpu()
        walls = [boot() for _ in range(20)]
        self.table.row('server create to ACTIVE, one at a time', p50=statistics.median(walls), cpu=(cloud.cpu() - before) / 20 * 1000, aim='<= 50 ms, 5 CPU ms')
        before, start = cloud.cpu(), time.monotonic()
        with ThreadPoolExecutor(50) as pool:
            list(pool.map(boot, range(50)))
        wall = time.monotonic() - start
        self.table.row('50 servers at once, all ACTIVE', rate=50 / wall, p50=wall * 1000, cpu=(cloud.cpu() - before) / 50 * 1000, aim='<= 5 CPU ms', note='p50 is the wall time of all')
        self.load('servers detail of 70', 'GET', compute + '/servers/detail', clients=1, aim='<= 1')

    def image(self):
        image = self.cloud.must('POST', self.cloud.url('image', '/v2/images'), {'name': 'bench', 'disk_format': 'raw', 'container_format': 'bare'})['id']
        request = urllib.request.Request(self.cloud.url('image', f'/v2/images/{image}/file'), method='PUT', data=b'\0' * 65536, headers={
            'Content-Type': 'application/octet-stream', 'X-Auth-Token': self.cloud.token})
        urllib.request.urlopen(request, timeout=60).close()
        return image

    def run(self):
        self.attempt('exec to every API answering', self.starts)
        with ephemeral(self.binary, subprocess.DEVNULL) as ready:
            self.cloud = Cloud(ready)
            self.attempt('idle', self.idle)
            self.requests()
            self.attempt('server create to ACTIVE', self.servers)
            self.table.row('memory after all that', note=f'{self.cloud.pss():.1f} MB (PSS)')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('binary')
    parser.add_argument('--seconds', type=int, default=5, help='of load for each kind of request')
    parser.add_argument('--json', help='write the rows there too')
    options = parser.parse_args()
    bench = Bench(options.binary, options.seconds)
    bench.run()
    if options.json:
        with open(options.json, 'w') as file:
            json.dump(bench.table.rows, file, indent=1)


if __name__ == '__main__':
    main()
