"""The stock `openstack` client against a cloud: create, list, show, set and delete what the core services have.

Every command runs in this one process, since the client takes longer to import than to work. The cloud is the
one of OS_*; what is made is named compat-* and deleted at the end.
"""
import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import time

from openstackclient import shell

from story import Story

PREFIX = f'compat-{os.getpid()}-'


def n(name):
    """The name under which the story makes a thing."""
    return PREFIX + name


class CommandFailed(Exception):
    """The client ended with an error; the text is what it said."""


def run(*argv):
    """One command of the client, in this process; its standard output. Raises CommandFailed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = shell.OpenStackShell().run(list(argv))
        except SystemExit as end:
            status = end.code
        finally:
            logging.getLogger().handlers.clear()
    if status not in (0, None):
        raise CommandFailed(f'openstack {" ".join(argv)}: {err.getvalue().strip()[-500:] or status}')
    return out.getvalue()


def ask(*argv):
    """One command whose answer is read as JSON."""
    return json.loads(run(*argv, '-f', 'json'))


def refused(*argv, because):
    """A command that must fail, saying why."""
    try:
        run(*argv)
    except CommandFailed as error:
        if because.lower() in str(error).lower():
            return True
        raise
    raise AssertionError(f'openstack {" ".join(argv)} should have failed')


def wait_for(argv, key, wanted, limit=60):
    """Asks until the answer's field is what is wanted; returns the last answer."""
    end = time.monotonic() + limit
    while True:
        answer = ask(*argv)
        if answer[key] == wanted or answer[key] == 'ERROR' or time.monotonic() > end:
            return answer
        time.sleep(0.2)


class Client:
    """Steps in the client's words, checked on its JSON output."""

    def __init__(self):
        self.story = Story('openstack client')

    def make(self, what, name, *options):
        """`WHAT create NAME`: the answer has an id and the name."""
        words = what.split()
        return self.story.step(f'{what} create', lambda: ask(*words, 'create', *options, n(name)),
                               lambda a: a.get('id') and a['name'] == n(name))

    def listed(self, what, name, *options, key='Name'):
        self.story.step(f'{what} list', lambda: ask(*what.split(), 'list', *options),
                        lambda a: [row[key] for row in a].count(n(name)) == 1)

    def shown(self, what, name, /, label='show', **fields):
        """`WHAT show NAME`: each given field has the given value, or passes the given test."""
        def right(a):
            return all(want(a[k]) if callable(want) else a[k] == want for k, want in fields.items())
        return self.story.step(f'{what} {label}', lambda: ask(*what.split(), 'show', n(name)), right)

    def changed(self, what, name, /, *options, **fields):
        """`WHAT set OPTIONS NAME`, seen by a show."""
        self.story.step(f'{what} set', lambda: run(*what.split(), 'set', *options, n(name)))
        self.shown(what, name, label='show after set', **fields)

    def deleted(self, what, name):
        """`WHAT delete NAME`, after which a show finds nothing."""
        self.story.step(f'{what} delete', lambda: run(*what.split(), 'delete', n(name)))
        self.story.step(f'{what} show after delete',
                        lambda: refused(*what.split(), 'show', n(name), because='no'))

    def say(self, label, *argv, check=None):
        return self.story.step(label, lambda: ask(*argv), check)

    def do(self, label, *argv):
        return self.story.step(label, lambda: run(*argv))


def identity(c):
    c.say('token issue', 'token', 'issue', check=lambda a: a['id'] and a['project_id'] and a['user_id'])
    c.say('catalog list', 'catalog', 'list', check=lambda a: {'identity', 'image', 'compute', 'network', 'placement'}
          <= {row['Type'] for row in a} and all(row['Endpoints'] for row in a))
    c.say('catalog show', 'catalog', 'show', 'compute', check=lambda a: a['type'] == 'compute')
    c.say('endpoint list', 'endpoint', 'list', check=lambda a: len(a) >= 5)
    c.make('project', 'project', '--description', 'one')
    c.listed('project', 'project')
    c.changed('project', 'project', '--description', 'two', '--disable', description='two', enabled=False)
    c.do('project set --enable', 'project', 'set', '--enable', n('project'))
    c.make('user', 'user', '--password', 'first-Secret1', '--email', 'a@example.com')
    c.listed('user', 'user')
    c.changed('user', 'user', '--email', 'b@example.com', email='b@example.com', enabled=True)
    c.make('group', 'group')
    c.do('group add user', 'group', 'add', 'user', n('group'), n('user'))
    c.say('group member list', 'user', 'list', '--group', n('group'), check=lambda a: [r['Name'] for r in a] == [n('user')])
    roles(c)
    c.deleted('group', 'group')
    c.deleted('user', 'user')
    c.deleted('project', 'project')


def roles(c):
    pair = ('--user', n('user'), '--project', n('project'))
    c.do('role add', 'role', 'add', *pair, 'member')
    c.say('role assignment list', 'role', 'assignment', 'list', *pair, '--names',
          check=lambda a: len(a) == 1 and a[0]['Role'].split('@')[0] == 'member')
    as_user = ('--os-username', n('user'), '--os-password', 'first-Secret1', '--os-project-name', n('project'))
    c.say('token issue by the new user', *as_user, 'token', 'issue', check=lambda a: a['id'])
    c.story.step('project list is refused to a member',
                 lambda: refused(*as_user, 'user', 'list', because='403'))
    c.do('role remove', 'role', 'remove', *pair, 'member')
    c.say('role assignment list after remove', 'role', 'assignment', 'list', *pair, check=lambda a: a == [])
    c.story.step('token issue without a role', lambda: refused(*as_user, 'token', 'issue', because='401'))


def images_and_flavors(c):
    with tempfile.NamedTemporaryFile(suffix='.raw') as data:
        data.write(os.urandom(1 << 20))
        data.flush()
        c.make('image', 'image', '--disk-format', 'raw', '--container-format', 'bare', '--property', 'colour=red',
               '--file', data.name)
        c.shown('image', 'image', status='active', size=1 << 20, checksum=bool)
        with tempfile.TemporaryDirectory() as folder:
            copy = os.path.join(folder, 'copy')
            c.do('image save', 'image', 'save', '--file', copy, n('image'))
            c.story.step('image save gives the same bytes', lambda: open(copy, 'rb').read() == open(data.name, 'rb').read(), bool)
    c.listed('image', 'image')
    c.changed('image', 'image', '--property', 'colour=blue', '--tag', 'nice', '--min-ram', '64', min_ram=64,
              properties=lambda p: p['colour'] == 'blue', tags=lambda t: 'nice' in t)
    c.make('flavor', 'flavor', '--ram', '128', '--vcpus', '1', '--disk', '1')
    c.listed('flavor', 'flavor', '--all')
    c.changed('flavor', 'flavor', '--property', 'hw:x=1', ram=128, properties=lambda p: p == {'hw:x': '1'})
    c.story.step('keypair create', lambda: run('keypair', 'create', n('key')), lambda a: 'PRIVATE KEY' in a)
    c.listed('keypair', 'key')
    c.shown('keypair', 'key', name=n('key'), fingerprint=bool)


def networking(c):
    c.make('network', 'net', '--description', 'one')
    c.listed('network', 'net')
    c.changed('network', 'net', '--description', 'two', description='two', status='ACTIVE')
    c.make('subnet', 'subnet', '--network', n('net'), '--subnet-range', '192.0.2.0/24')
    c.listed('subnet', 'subnet')
    c.changed('subnet', 'subnet', '--dns-nameserver', '192.0.2.53', gateway_ip='192.0.2.1',
              dns_nameservers=lambda d: d == ['192.0.2.53'])
    c.make('router', 'router')
    c.listed('router', 'router')
    c.do('router add subnet', 'router', 'add', 'subnet', n('router'), n('subnet'))
    c.changed('router', 'router', '--external-gateway', 'public', external_gateway_info=bool)
    c.make('port', 'port', '--network', n('net'), '--fixed-ip', 'ip-address=192.0.2.77')
    c.listed('port', 'port')
    c.changed('port', 'port', '--description', 'two', description='two',
              fixed_ips=lambda ips: [ip['ip_address'] for ip in ips] == ['192.0.2.77'])
    c.make('security group', 'group')
    c.listed('security group', 'group')
    c.changed('security group', 'group', '--description', 'two', description='two')
    rule = c.say('security group rule create', 'security', 'group', 'rule', 'create', '--proto', 'tcp',
                 '--dst-port', '22', n('group'), check=lambda a: a['port_range_min'] == 22 and a['protocol'] == 'tcp')
    c.say('security group rule list', 'security', 'group', 'rule', 'list', n('group'),
          check=lambda a: any(r['ID'] == rule['id'] for r in a) and len(a) == 3)
    c.do('security group rule delete', 'security', 'group', 'rule', 'delete', (rule or {}).get('id', 'none'))


def server(c):
    c.story.step('server create', lambda: ask(
        'server', 'create', '--flavor', n('flavor'), '--image', n('image'), '--network', n('net'), '--key-name', n('key'),
        '--security-group', n('group'), '--property', 'colour=red', '--wait', n('server')),
        lambda a: a['status'] == 'ACTIVE' and a['name'] == n('server'))
    c.listed('server', 'server')
    c.shown('server', 'server', status='ACTIVE', properties=lambda p: p == {'colour': 'red'}, key_name=n('key'),
            addresses=lambda a: a[n('net')][0].startswith('192.0.2.'))
    c.changed('server', 'server', '--description', 'two', '--property', 'colour=blue',
              properties=lambda p: p == {'colour': 'blue'})
    c.say('server addresses by port list', 'port', 'list', '--server', n('server'),
          check=lambda a: len(a) == 1 and a[0]['Status'] == 'ACTIVE')
    c.say('server event list', 'server', 'event', 'list', n('server'), check=lambda a: [e['Action'] for e in a][-1] == 'create')
    c.story.step('server event show', lambda: ask('server', 'event', 'show', n('server'),
                 ask('server', 'event', 'list', n('server'))[-1]['Request ID']), lambda a: a['action'] == 'create' and a['events'])
    c.story.step('console log show', lambda: run('console', 'log', 'show', '--lines', '20', n('server')), lambda text: text.strip())
    floating(c)
    for action, status in (('stop', 'SHUTOFF'), ('start', 'ACTIVE'), ('pause', 'PAUSED'), ('unpause', 'ACTIVE'),
                           ('suspend', 'SUSPENDED'), ('resume', 'ACTIVE')):
        c.do(f'server {action}', 'server', action, n('server'))
        c.story.step(f'server is {status}', lambda: wait_for(('server', 'show', n('server')), 'status', status),
                     lambda a, status=status: a['status'] == status)
    c.do('server reboot', 'server', 'reboot', '--hard', '--wait', n('server'))
    c.do('server delete', 'server', 'delete', '--wait', n('server'))
    c.story.step('server show after delete', lambda: refused('server', 'show', n('server'), because='no server'))


def floating(c):
    ip = c.say('floating ip create', 'floating', 'ip', 'create', 'public', check=lambda a: a['floating_ip_address'])
    address = (ip or {}).get('floating_ip_address', 'none')
    c.do('server add floating ip', 'server', 'add', 'floating', 'ip', n('server'), address)
    c.say('floating ip show', 'floating', 'ip', 'show', address,
          check=lambda a: a['fixed_ip_address'].startswith('192.0.2.') and a['port_id'])
    c.say('floating ip list', 'floating', 'ip', 'list', check=lambda a: address in [r['Floating IP Address'] for r in a])
    c.say('server addresses with the floating ip', 'server', 'show', n('server'), check=lambda a: address in a['addresses'][n('net')])
    c.do('floating ip set', 'floating', 'ip', 'set', '--description', 'two', address)
    c.do('server remove floating ip', 'server', 'remove', 'floating', 'ip', n('server'), address)
    c.do('floating ip delete', 'floating', 'ip', 'delete', address)


def clean_up(c):
    c.deleted('keypair', 'key')
    c.deleted('port', 'port')
    c.do('router unset', 'router', 'unset', '--external-gateway', n('router'))
    c.do('router remove subnet', 'router', 'remove', 'subnet', n('router'), n('subnet'))
    for what, name in (('router', 'router'), ('subnet', 'subnet'), ('network', 'net'), ('security group', 'group'),
                       ('flavor', 'flavor'), ('image', 'image')):
        c.deleted(what, name)


def overview(c):
    c.say('hypervisor list', 'hypervisor', 'list', check=lambda a: len(a) >= 1)
    c.say('compute service list', 'compute', 'service', 'list', check=lambda a: all(s['State'] == 'up' for s in a) and a)
    c.say('availability zone list', 'availability', 'zone', 'list', check=lambda a: 'nova' in [z['Zone Name'] for z in a])
    c.say('network agent or extension list', 'extension', 'list', '--network', check=lambda a: 'router' in [e['Alias'] for e in a])
    c.say('quota show', 'quota', 'show', check=lambda a: {r['Resource'] for r in a} >= {'instances', 'cores', 'networks', 'ports'})
    c.say('limits show', 'limits', 'show', '--absolute', check=bool)
    c.story.step('a missing server', lambda: refused('server', 'show', n('nothing'), because='no server'))


def main():
    client = Client()
    for chapter in (identity, images_and_flavors, networking, server, clean_up, overview):
        chapter(client)
    return client.story.end()


if __name__ == '__main__':
    sys.exit(main())
