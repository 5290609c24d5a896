"""Writes a tempest.conf for the cloud of OS_*: the static part from this directory, the rest asked from the cloud.

What the tests need and the cloud lacks is made: roles they name, two small flavors, two small images, admin on
system. Only a failed login ends it; every other look-up that fails is a warning, for the tests to say more about.
"""
import configparser
import os
import sys

import openstack

HERE = os.path.dirname(os.path.abspath(__file__))
# The flag of each service in [service_available], and the catalog types to look for, best first.
SERVICES = {
    'nova': ('compute', ['compute']),
    'neutron': ('network', ['network']),
    'glance': ('image', ['image']),
    'cinder': ('volume', ['block-storage', 'volumev3', 'volume']),
    'swift': ('object-storage', ['object-store']),
    'horizon': (None, []),
}
ROLES = ['member', 'reader', 'manager', 'service', 'ResellerAdmin']


class Configuration:
    def __init__(self, workspace, env):
        self.workspace, self.env, self.warnings = workspace, env, []
        self.ini = configparser.RawConfigParser()
        self.ini.optionxform = str
        self.ini.read(os.path.join(HERE, 'tempest.conf'))

    def set(self, section, **values):
        if section != 'DEFAULT' and not self.ini.has_section(section):
            self.ini.add_section(section)
        for key, value in values.items():
            if value is not None:      # a literal $ is $$ to oslo.config
                self.ini.set(section, key, str(value).replace('$', '$$'))

    def attempt(self, what, action):
        try:
            return action()
        except Exception as error:
            self.warnings.append(f'{what}: {type(error).__name__}: {error}'.replace('\n', ' ')[:250])

    def write(self):
        """Returns the path of the file. It holds the password: only its owner may read it."""
        self.login()
        for flag, (section, types) in SERVICES.items():
            found = next((kind for kind in types if kind in self.types), None)
            self.set('service_available', **{flag: bool(found)})
            if found:
                self.set(section, catalog_type=found)
        self.attempt('roles', self.roles)
        if 'image' in self.types:
            self.attempt('images', self.images)
        if 'compute' in self.types:
            self.attempt('flavors', self.flavors)
            self.attempt('hypervisors', self.hypervisors)
        if 'network' in self.types:
            self.attempt('public network', self.public_network)
        os.makedirs(os.path.join(self.workspace, 'lock'), exist_ok=True)
        self.set('DEFAULT', log_dir=self.workspace)
        self.set('oslo_concurrency', lock_path=os.path.join(self.workspace, 'lock'))
        path = os.path.join(self.workspace, 'tempest.conf')
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), 'w') as file:
            self.ini.write(file)
        return path

    def login(self):
        env = self.env
        self.cloud = openstack.connect(load_yaml_config=False)
        access = self.cloud.session.auth.get_access(self.cloud.session)
        self.types = {entry['type'] for entry in access.service_catalog.catalog}
        self.user_id = access.user_id
        url = env['OS_AUTH_URL'].rstrip('/')
        url += '' if url.endswith('/v3') else '/v3'
        user_domain = env.get('OS_USER_DOMAIN_NAME', 'Default')
        project_domain = env.get('OS_PROJECT_DOMAIN_NAME', 'Default')
        self.set('identity', uri=url, uri_v3=url, region=env.get('OS_REGION_NAME', 'RegionOne'),
                 ca_certificates_file=env.get('OS_CACERT'))
        self.set('auth', admin_username=env['OS_USERNAME'], admin_password=env['OS_PASSWORD'],
                 admin_project_name=env['OS_PROJECT_NAME'], admin_domain_name=user_domain,
                 admin_user_domain_name=user_domain, admin_project_domain_name=project_domain,
                 default_credentials_domain_name=project_domain,
                 create_isolated_networks='network' in self.types)
        self.set('validation', run_validation=env.get('RUN_VALIDATION', 'false'))

    def roles(self):
        have = {role.name.lower(): role for role in self.cloud.identity.roles()}
        for name in ROLES:
            if name.lower() not in have:
                self.attempt(f'create role {name}', lambda: self.cloud.identity.create_role(name=name))
        self.cloud.identity.put(f'/system/users/{self.user_id}/roles/{have["admin"].id}')

    def images(self):
        images = [i for i in self.cloud.image.images(status='active') if i.disk_format not in ('aki', 'ari')]
        images.sort(key=lambda i: (i.name != 'tiny', not i.name.startswith('tempest-fixed'), i.size))
        while len(images) < 2:
            images.append(self.cloud.create_image(
                f'tempest-fixed-{len(images)}', data=b'\0' * (1 << 20), disk_format='raw', container_format='bare',
                visibility='public', wait=True, timeout=60))
        self.set('compute', image_ref=images[0].id, image_ref_alt=images[1].id)

    def flavors(self):
        have = {flavor.name: flavor for flavor in self.cloud.compute.flavors()}
        for key, name, ram in (('flavor_ref', 'tempest-fixed-1', 128), ('flavor_ref_alt', 'tempest-fixed-2', 192)):
            flavor = have.get(name) or self.cloud.create_flavor(name, ram, 1, 1)
            self.set('compute', **{key: flavor.id})

    def hypervisors(self):
        self.set('compute', min_compute_nodes=max(1, len(list(self.cloud.compute.hypervisors()))))

    def public_network(self):
        networks = list(self.cloud.network.networks(is_router_external=True))
        public = next((n for n in networks if n.name == 'public'), networks[0])
        self.set('network', public_network_id=public.id, floating_network_name=public.name)
        self.set('validation', network_for_ssh=public.name)


if __name__ == '__main__':
    configuration = Configuration(os.path.abspath(sys.argv[1]), os.environ)
    print(configuration.write())
    for warning in configuration.warnings:
        print('warning: ' + warning, file=sys.stderr)
