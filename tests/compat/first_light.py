"""The whole job on this machine: install, real guests on real networks, a killed daemon, and the machine given back.

`python first_light.py STACKUP`, as root. Changes the machine; at the end it must be as it was, which a
fingerprint tells. The stock client does the work in the cloud, ssh, ping and nc judge it from outside.
"""
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from openstack_client import CommandFailed, ask, run
from story import Story

FINGERPRINT = Path(__file__).resolve().parents[2] / 'scripts' / 'fingerprint.sh'
BOOT_LIMIT = 240
STATE = '/var/lib/stackup'


def shell(*argv, limit=60, check=True):
    """A program's standard output; raises when it fails, unless that is of interest."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=limit)
    if check and done.returncode:
        raise AssertionError(f'{shlex.join(argv)}: {done.returncode} {done.stdout[-600:]} {done.stderr[-1500:]}')
    return done.stdout if check else done


def wait(what, attempt, limit):
    """Calls `attempt` until it answers something; how long that took."""
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        if attempt():
            return time.monotonic() - begun
        time.sleep(0.3)
    raise AssertionError(f'{what} took more than {limit} s')


def pings(address, seconds=1):
    return shell('ping', '-c', '1', '-W', str(seconds), address, check=False).returncode == 0


def guests():
    """The processes of our guests, by name."""
    found = shell('pgrep', '-af', f'qemu-system.*{STATE}', check=False).stdout
    return {int(line.split()[0]) for line in found.splitlines()}


class FirstLight:
    def __init__(self, stackup, scratch):
        self.stackup = stackup
        self.key = str(scratch / 'key')
        self.story = Story('first light')
        self.floating = {}

    def ours(self, *argv, limit=120):
        return shell(self.stackup, *argv, limit=limit)

    def ssh(self, name, command, limit=30):
        """A command in a guest, by its floating address; its exit status and output."""
        options = ['-i', self.key, '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'ConnectTimeout=5',
                   '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR']
        return shell('ssh', *options, f'cirros@{self.floating[name]}', command, limit=limit, check=False)

    def said(self, name, command):
        done = self.ssh(name, command)
        if done.returncode:
            raise AssertionError(f'{command}: {done.returncode} {done.stdout} {done.stderr}')
        return done.stdout.strip()

    def fixed(self, name):
        """What Neutron says a guest's address is."""
        return re.search(r"'ip_address': '([^']+)'", str(ask('port', 'list', '--server', name)[0])).group(1)

    def day(self):
        """What a cloud has, by names: compared with day one."""
        kinds = (['network', 'list'], ['subnet', 'list'], ['router', 'list'], ['image', 'list'],
                 ['flavor', 'list', '--all'], ['project', 'list'], ['user', 'list'], ['server', 'list', '--all-projects'],
                 ['floating', 'ip', 'list'], ['keypair', 'list'], ['security', 'group', 'list'])
        return {' '.join(kind): sorted(str(row.get('Name', row)) for row in ask(*kind)) for kind in kinds}

    # ---------------------------------------------------------------- the steps

    def install(self):
        step = self.story.step
        self.before = step('take the fingerprint', lambda: shell(str(FINGERPRINT)), bool)
        told = step('install, which boots, pings and deletes a server', lambda: self.timed(
            'install', 'install', '--yes', limit=300), bool)
        if told is None:
            return False
        step('install again: nothing to change', lambda: json.loads(
            self.ours('install', '--yes', '-o', 'json', limit=300)), lambda told: told['changes'] == 0)
        credentials = json.loads(self.ours('openrc', 'admin', 'admin', '-o', 'json'))
        os.environ.update(credentials)
        self.one = step('see day one', self.day, lambda day: 'private' in day['network list'])
        return True

    def timed(self, what, *argv, limit):
        begun = time.monotonic()
        told = self.ours(*argv, limit=limit)
        print(f'        {what}: {time.monotonic() - begun:.1f} s', flush=True)
        return told or what

    def boot(self):
        step = self.story.step
        shell('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', self.key)
        step('bring a key', lambda: run('keypair', 'create', '--public-key', self.key + '.pub', 'k1'))
        step('make a group that lets ping and ssh in', lambda: [
            run('security', 'group', 'create', 'open'), run('security', 'group', 'create', 'shut'),
            run('security', 'group', 'rule', 'create', '--protocol', 'icmp', 'open'),
            run('security', 'group', 'rule', 'create', '--protocol', 'tcp', '--dst-port', '22', 'open')])
        begun = time.monotonic()
        step('boot a server', lambda: self.server('vm1', 'open'))
        step('it answers ping on a floating ip', lambda: self.float('vm1'))
        step('ssh by key', lambda: wait('ssh', lambda: self.ssh('vm1', 'true').returncode == 0, 120), bool)
        print(f'        from create to ssh: {time.monotonic() - begun:.1f} s', flush=True)

    def server(self, name, group):
        run('server', 'create', '--flavor', 'm1.nano', '--image', 'tiny', '--network', 'private', '--key-name', 'k1',
            '--security-group', group, '--wait', name)
        state = ask('server', 'show', name)['status']
        if state != 'ACTIVE':
            raise AssertionError(f'{name} is {state}')

    def float(self, name, answers=True):
        self.floating[name] = ask('floating', 'ip', 'create', 'public')['floating_ip_address']
        run('server', 'add', 'floating', 'ip', name, self.floating[name])
        return wait('the first ping', lambda: pings(self.floating[name]), BOOT_LIMIT) if answers else None

    def inside(self):
        step = self.story.step
        address = step('its port has an address', lambda: self.fixed('vm1'), bool)
        step('its name is its own', lambda: self.said('vm1', 'hostname'), lambda name: name == 'vm1')
        step('dhcp gave it the address of its port', lambda: self.said('vm1', 'ip -4 -o addr show eth0'),
             lambda text: f' {address}/' in text)
        fetch = 'wget -q -O - http://169.254.169.254'
        step('metadata knows its address', lambda: self.said('vm1', f'{fetch}/latest/meta-data/local-ipv4'),
             lambda text: text == address)
        step('metadata knows its name', lambda: json.loads(self.said('vm1', f'{fetch}/openstack/latest/meta_data.json')),
             lambda data: data['name'] == 'vm1' and 'k1' in data['public_keys'])
        step('its console log is served', lambda: run('console', 'log', 'show', 'vm1'),
             lambda text: 'tiny: datasource metadata' in text and 'up as vm1' in text)
        step('it reaches the host by the router', lambda: self.said('vm1', 'ping -c 1 -W 3 172.24.4.1'), bool)

    def neighbours(self):
        step = self.story.step
        step('boot a second server', lambda: self.server('vm2', 'open'))
        step('boot a server that lets nothing in', lambda: self.server('vm3', 'shut'))
        step('the second answers', lambda: self.float('vm2'))
        step('ssh to the second', lambda: wait('ssh', lambda: self.ssh('vm2', 'true').returncode == 0, 120), bool)
        first, third = self.fixed('vm1'), self.fixed('vm3')
        self.said('vm1', 'nc -lk -p 8080 </dev/null >/dev/null 2>&1 &')
        step('the second reaches the first by ping', lambda: self.said('vm2', f'ping -c 2 -W 3 {first}'), bool)
        knock = f'nc -z -w 3 {first}'
        step('the second reaches port 22 of the first', lambda: self.ssh('vm2', f'{knock} 22').returncode, lambda code: code == 0)
        step('port 8080 is refused', lambda: self.ssh('vm2', f'{knock} 8080').returncode, bool)
        step('a rule opens port 8080', lambda: [
            run('security', 'group', 'rule', 'create', '--protocol', 'tcp', '--dst-port', '8080', 'open'),
            wait('the rule', lambda: self.ssh('vm2', f'{knock} 8080').returncode == 0, 10)])
        step('the third is up', lambda: wait('its boot', lambda: 'up as vm3' in run('console', 'log', 'show', 'vm3'), BOOT_LIMIT))
        step('the third has its address', lambda: run('console', 'log', 'show', 'vm3'), lambda text: f'eth0 {third}/' in text)
        step('the third does not answer a neighbour', lambda: self.ssh('vm2', f'ping -c 2 -W 2 {third}').returncode, bool)
        self.float('vm3', answers=False)
        step('nor on a floating ip', lambda: [pings(self.floating['vm3']) for _ in range(3)], lambda seen: not any(seen))

    def kill(self):
        step = self.story.step
        running = guests()
        step('three guests run', lambda: len(running), lambda count: count == 3)
        ping = subprocess.Popen(['ping', '-q', '-i', '0.2', '-c', '60', self.floating['vm1']], stdout=subprocess.PIPE, text=True)
        time.sleep(1)
        pid = json.loads(self.ours('status', '-o', 'json'))['about']['pid']
        step('kill -9 the daemon', lambda: os.kill(pid, signal.SIGKILL))
        begun = time.monotonic()
        step('it comes back by itself', lambda: self.ours('status', '--wait', '60'), bool)
        step('and is another process', lambda: json.loads(self.ours('status', '-o', 'json'))['about']['pid'], lambda now: now != pid)
        print(f'        API away: {time.monotonic() - begun:.1f} s', flush=True)
        text = ping.communicate(timeout=60)[0]
        step('no ping was lost meanwhile', lambda: re.search(r'(\d+)% packet loss', text).group(0), lambda loss: loss.startswith('0%'))
        step('the guests are the same processes', guests, lambda now: now == running)
        step('the client finds them active', lambda: ask('server', 'list'), lambda rows: [r['Status'] for r in rows] == ['ACTIVE'] * 3)
        step('reboot a server', lambda: run('server', 'reboot', '--hard', '--wait', 'vm2'))
        step('it answers again', lambda: wait('ping', lambda: pings(self.floating['vm2']), BOOT_LIMIT), bool)
        step('delete a server', lambda: run('server', 'delete', '--wait', 'vm2'))
        step('its process is gone', lambda: len(guests()), lambda count: count == 2)
        step('its name is gone', lambda: self.gone('vm2'), bool)

    def gone(self, name):
        try:
            run('server', 'show', name)
        except CommandFailed:
            return True
        return False

    def reset(self):
        step = self.story.step
        step('reset', lambda: self.timed('reset', 'reset', '--yes', limit=120), bool)
        step('no guest is left', guests, lambda left: not left)
        step('the cloud is as on day one', self.day, lambda now: now == self.one)

    def give_back(self):
        step = self.story.step
        step('reset --host', lambda: self.timed('reset --host', 'reset', '--host', '--yes', limit=120), bool)
        step('the machine is as it was', self.difference, lambda lines: not lines)
        return self.story.end()

    def difference(self):
        before, after = self.before.splitlines(), shell(str(FINGERPRINT)).splitlines()
        return sorted([f'- {line}' for line in set(before) - set(after)] + [f'+ {line}' for line in set(after) - set(before)])


def main():
    if len(sys.argv) != 2 or os.geteuid() != 0:
        sys.exit(__doc__)
    for name in [name for name in os.environ if name.startswith('OS_')]:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as scratch:
        tale = FirstLight(sys.argv[1], Path(scratch))
        try:
            if tale.install():
                tale.boot()
                tale.inside()
                tale.neighbours()
                tale.kill()
                tale.reset()
        except Exception as error:  # the machine is given back whatever happens
            tale.story.step('the story went on', lambda: (_ for _ in ()).throw(error))
        return tale.give_back()


if __name__ == '__main__':
    sys.exit(main())
