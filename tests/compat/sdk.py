"""A small story in openstacksdk against the cloud of OS_*: a server on its own network, reached by a floating IP."""
import os
import sys

import openstack

from story import Story

PREFIX = f'sdk-{os.getpid()}-'


class Tale:
    def __init__(self, cloud):
        self.cloud = cloud
        self.story = Story('openstacksdk')

    def build(self):
        cloud, step = self.cloud, self.story.step
        self.image = step('upload an image', lambda: cloud.create_image(
            PREFIX + 'image', data=b'\0' * 65536, disk_format='raw', container_format='bare', wait=True, timeout=30),
            lambda image: image.status == 'active')
        self.flavor = step('create a flavor', lambda: cloud.create_flavor(PREFIX + 'flavor', 64, 1, 1))
        self.network = step('create a network', lambda: cloud.create_network(PREFIX + 'net'))
        self.subnet = step('create a subnet', lambda: cloud.create_subnet(
            self.network.id, cidr='198.51.100.0/24', subnet_name=PREFIX + 'subnet'))
        public = step('find the public network', lambda: cloud.get_network('public'), bool)
        self.router = step('create a router', lambda: cloud.create_router(PREFIX + 'router', ext_gateway_net_id=public.id))
        step('join the subnet to the router', lambda: cloud.add_router_interface(self.router, subnet_id=self.subnet.id))

    def live(self):
        cloud, step = self.cloud, self.story.step
        self.server = step('boot a server', lambda: cloud.create_server(
            PREFIX + 'server', image=self.image.id, flavor=self.flavor.id, network=self.network.id, wait=True,
            timeout=60, auto_ip=False), lambda server: server.status == 'ACTIVE')
        step('see it on its hypervisor', lambda: list(cloud.compute.servers(all_projects=True, name=PREFIX + 'server')),
             lambda found: len(found) == 1 and found[0].hypervisor_hostname)
        step('see what it holds in placement', lambda: list(cloud.placement.resource_providers()), bool)
        self.address = step('give it a floating ip', lambda: cloud.create_floating_ip(
            network='public', server=self.server, wait=True, timeout=30), lambda ip: ip.port_id)
        step('read its console', lambda: cloud.get_server_console(self.server), bool)
        step('page through servers by one', lambda: list(cloud.compute.servers(limit=1)), bool)

    def end(self):
        cloud, step = self.cloud, self.story.step
        step('give the floating ip back', lambda: cloud.delete_floating_ip(self.address.id), bool)
        step('delete the server', lambda: cloud.delete_server(self.server.id, wait=True, timeout=60), bool)
        step('part the router from the subnet', lambda: cloud.remove_router_interface(self.router, subnet_id=self.subnet.id))
        step('delete the router', lambda: cloud.delete_router(self.router.id), bool)
        step('delete the network', lambda: cloud.delete_network(self.network.id), bool)
        step('delete the flavor', lambda: cloud.delete_flavor(self.flavor.id), bool)
        step('delete the image', lambda: cloud.delete_image(self.image.id), bool)
        return self.story.end()


def main():
    tale = Tale(openstack.connect(load_yaml_config=False))
    tale.build()
    tale.live()
    return tale.end()


if __name__ == '__main__':
    sys.exit(main())
