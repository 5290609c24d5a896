"""The cloud under test: the one of OS_*, or an ephemeral one started for the run.

`python cloud.py STACKUP COMMAND...` starts one, sets OS_* and OS_CLIENT_CONFIG_FILE, and runs the command.
"""
import contextlib
import json
import os
import select
import subprocess
import sys

START_LIMIT = 60


@contextlib.contextmanager
def ephemeral(stackup, log=None):
    """Runs `stackup serve --ephemeral` and yields its ready line; raises when it says nothing in time."""
    server = subprocess.Popen([stackup, 'serve', '--ephemeral'], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=log)
    try:
        if not select.select([server.stdout], [], [], START_LIMIT)[0]:
            raise RuntimeError(f'{stackup} said nothing within {START_LIMIT} s')
        line = server.stdout.readline()
        if not line:
            raise RuntimeError(f'{stackup} ended with {server.wait()} before it was ready')
        yield dict(json.loads(line), pid=server.pid)
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        server.stdin.close()
        server.stdout.close()


def environment(ready):
    """The OS_* variables of a ready line."""
    return {
        'OS_AUTH_URL': ready['auth_url'],
        'OS_USERNAME': ready['username'],
        'OS_PASSWORD': ready['password'],
        'OS_PROJECT_NAME': ready['project'],
        'OS_USER_DOMAIN_NAME': 'Default',
        'OS_PROJECT_DOMAIN_NAME': 'Default',
        'OS_REGION_NAME': 'RegionOne',
        'OS_IDENTITY_API_VERSION': '3',
        'OS_CLIENT_CONFIG_FILE': ready['clouds_yaml'],
        'STACKUP_PID': str(ready['pid']),
    }


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    env = {k: v for k, v in os.environ.items() if not k.startswith('OS_')}
    with ephemeral(sys.argv[1]) as ready:
        return subprocess.run(sys.argv[2:], env=dict(env, **environment(ready))).returncode


if __name__ == '__main__':
    sys.exit(main())
