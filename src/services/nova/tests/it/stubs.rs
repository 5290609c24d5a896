//! Glance, placement and neutron as nova sees them, in memory.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use stackup_contracts::{
    Allocation, Binding, CallError, Candidate, CandidateQuery, Consumer, FixedIp, ImageData,
    ImageInfo, ImageQuery, Images, IngressRule, NetworkInfo, Networks, NewImage, NewIngressRule,
    NewPort, Placement, PortInfo, ProviderSpec, RuleSource, SecurityGroupInfo, SecurityGroupRules,
    SubnetInfo, WhichGroups,
};
use stackup_core::{
    Ctx, ErrorKind, ImageId, NetworkId, PortId, ProviderId, SecurityGroupId, ServerId, Time, ids,
};

pub(crate) const IMAGE: &str = "155d900f-4e14-4e4c-a73d-069cbf4541e6";
pub(crate) const NETWORK: &str = "3cb9bc59-5699-4588-a4b1-b87f96708bc6";
pub(crate) const OTHER_NETWORK: &str = "e1882e38-38c2-4239-ade7-35d644cb963a";
const SUBNET: &str = "f8a6e8f8-c2ec-497c-9f23-da9616de54ef";

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn missing(what: &str) -> CallError {
    CallError::new(ErrorKind::NotFound, "", format!("{what} could not be found."))
}

#[derive(Default)]
pub(crate) struct StubImages {
    pub images: Mutex<BTreeMap<String, ImageInfo>>,
}

pub(crate) fn image(id: &str) -> ImageInfo {
    ImageInfo {
        id: id.into(),
        name: Some("cirros".into()),
        status: "active".into(),
        visibility: "public".into(),
        owner: None,
        disk_format: Some("qcow2".into()),
        container_format: Some("bare".into()),
        size: Some(1 << 20),
        virtual_size: Some(1 << 20),
        checksum: Some("abc".into()),
        min_disk: 0,
        min_ram: 0,
        protected: false,
        created_at: Time::from_unix(1_700_000_000),
        updated_at: Time::from_unix(1_700_000_000),
        tags: Vec::new(),
        properties: BTreeMap::from([("architecture".to_owned(), "x86_64".to_owned())]),
    }
}

impl StubImages {
    pub(crate) fn new() -> Self {
        let stub = Self::default();
        lock(&stub.images).insert(IMAGE.into(), image(IMAGE));
        stub
    }
}

#[async_trait]
impl Images for StubImages {
    async fn image(&self, _: &Ctx, id: &ImageId) -> Result<ImageInfo, CallError> {
        lock(&self.images).get(id.as_str()).cloned().ok_or_else(|| missing("image"))
    }

    async fn images(&self, _: &Ctx, _: &ImageQuery) -> Result<Vec<ImageInfo>, CallError> {
        Ok(lock(&self.images).values().cloned().collect())
    }

    async fn data(&self, _: &Ctx, _: &ImageId) -> Result<ImageData, CallError> {
        Ok(ImageData { path: "/dev/null".into(), format: "qcow2".into() })
    }

    async fn create(&self, _: &Ctx, new: NewImage) -> Result<ImageInfo, CallError> {
        let made = ImageInfo {
            name: Some(new.name),
            status: "queued".into(),
            properties: new.properties,
            ..image(&ids::uuid())
        };
        lock(&self.images).insert(made.id.to_string(), made.clone());
        Ok(made)
    }

    async fn upload_file(&self, _: &Ctx, id: &ImageId, file: PathBuf) -> Result<(), CallError> {
        assert!(file.exists(), "a snapshot is a file");
        let mut images = lock(&self.images);
        let image = images.get_mut(id.as_str()).ok_or_else(|| missing("image"))?;
        image.status = "active".into();
        Ok(())
    }

    async fn set_properties(
        &self,
        _: &Ctx,
        id: &ImageId,
        changes: BTreeMap<String, Option<String>>,
    ) -> Result<ImageInfo, CallError> {
        let mut images = lock(&self.images);
        let image = images.get_mut(id.as_str()).ok_or_else(|| missing("image"))?;
        for (key, value) in changes {
            match value {
                Some(value) => image.properties.insert(key, value),
                None => image.properties.remove(&key),
            };
        }
        Ok(image.clone())
    }

    async fn delete(&self, _: &Ctx, id: &ImageId) -> Result<(), CallError> {
        lock(&self.images).remove(id.as_str());
        Ok(())
    }
}

#[derive(Default)]
pub(crate) struct StubPlacement {
    pub providers: Mutex<BTreeMap<String, ProviderSpec>>,
    pub allocations: Mutex<BTreeMap<String, Vec<Allocation>>>,
}

impl StubPlacement {
    fn used(&self, provider: &ProviderId, class: &str, except: &str) -> u64 {
        lock(&self.allocations)
            .iter()
            .filter(|(consumer, _)| consumer.as_str() != except)
            .flat_map(|(_, list)| list)
            .filter(|allocation| allocation.provider == *provider)
            .filter_map(|allocation| allocation.resources.get(class))
            .sum()
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    fn capacity(spec: &ProviderSpec, class: &str) -> u64 {
        spec.inventories.get(class).map_or(0, |inventory| {
            ((inventory.total - inventory.reserved) as f64 * inventory.allocation_ratio) as u64
        })
    }
}

#[async_trait]
impl Placement for StubPlacement {
    async fn ensure_provider(&self, _: &Ctx, spec: &ProviderSpec) -> Result<(), CallError> {
        lock(&self.providers).insert(spec.id.to_string(), spec.clone());
        Ok(())
    }

    async fn delete_provider(&self, _: &Ctx, id: &ProviderId) -> Result<(), CallError> {
        lock(&self.providers).remove(id.as_str());
        Ok(())
    }

    async fn set_aggregates(&self, _: &Ctx, _: &ProviderId, _: &[String]) -> Result<(), CallError> {
        Ok(())
    }

    async fn candidates(
        &self,
        _: &Ctx,
        query: &CandidateQuery,
    ) -> Result<Vec<Candidate>, CallError> {
        let providers: Vec<ProviderSpec> = lock(&self.providers).values().cloned().collect();
        let candidate = |spec: ProviderSpec| {
            let mut usage = BTreeMap::new();
            for (class, amount) in &query.resources {
                let (used, capacity) =
                    (self.used(&spec.id, class, ""), Self::capacity(&spec, class));
                if used + amount > capacity {
                    return None;
                }
                usage.insert(class.clone(), (used, capacity));
            }
            Some(Candidate { provider: spec.id, name: spec.name, usage, traits: spec.traits })
        };
        Ok(providers.into_iter().filter_map(candidate).collect())
    }

    async fn allocate(
        &self,
        _: &Ctx,
        consumer: &Consumer,
        allocations: &[Allocation],
    ) -> Result<(), CallError> {
        for allocation in allocations {
            let spec = lock(&self.providers).get(allocation.provider.as_str()).cloned();
            let spec = spec.ok_or_else(|| missing("provider"))?;
            for (class, amount) in &allocation.resources {
                let used = self.used(&allocation.provider, class, &consumer.id);
                if used + amount > Self::capacity(&spec, class) {
                    return Err(CallError::new(ErrorKind::Conflict, "", "no room"));
                }
            }
        }
        lock(&self.allocations).insert(consumer.id.clone(), allocations.to_vec());
        Ok(())
    }

    async fn allocations(&self, _: &Ctx, consumer: &str) -> Result<Vec<Allocation>, CallError> {
        Ok(lock(&self.allocations).get(consumer).cloned().unwrap_or_default())
    }

    async fn consumers(&self, _: &Ctx, provider: &ProviderId) -> Result<Vec<String>, CallError> {
        let all = lock(&self.allocations);
        let here = |list: &Vec<Allocation>| list.iter().any(|a| a.provider == *provider);
        Ok(all.iter().filter(|(_, list)| here(list)).map(|(id, _)| id.clone()).collect())
    }

    async fn release(&self, _: &Ctx, consumer: &str) -> Result<(), CallError> {
        lock(&self.allocations).remove(consumer);
        Ok(())
    }
}

pub(crate) struct StubNetworks {
    pub ports: Mutex<BTreeMap<String, PortInfo>>,
    networks: Mutex<Vec<NetworkInfo>>,
    pub groups: Mutex<Vec<SecurityGroupRules>>,
}

impl Default for StubNetworks {
    fn default() -> Self {
        Self {
            ports: Mutex::default(),
            groups: Mutex::default(),
            networks: Mutex::new(vec![network(NETWORK, "private")]),
        }
    }
}

fn network(id: &str, name: &str) -> NetworkInfo {
    NetworkInfo {
        id: id.into(),
        name: name.into(),
        project_id: "p".into(),
        shared: true,
        external: false,
        admin_state_up: true,
        mtu: 1500,
        port_security: true,
        subnets: vec![SubnetInfo {
            id: SUBNET.into(),
            cidr: "10.0.0.0/16".parse().unwrap(),
            gateway: Some("10.0.0.1".parse().unwrap()),
            dhcp: true,
            dns: Vec::new(),
            routes: Vec::new(),
            ipv6_address_mode: None,
        }],
    }
}

impl StubNetworks {
    /// From now on there are two networks to choose from.
    pub(crate) fn add_other(&self) {
        lock(&self.networks).push(network(OTHER_NETWORK, "other"));
    }

    /// A port that a user made.
    pub(crate) fn user_port(&self) -> PortId {
        let network = lock(&self.networks)[0].clone();
        self.make(network, "", None)
    }

    pub(crate) fn of(&self, server: &str) -> usize {
        lock(&self.ports).values().filter(|port| port.device_id == server).count()
    }

    fn make(&self, network: NetworkInfo, device: &str, address: Option<IpAddr>) -> PortId {
        let mut ports = lock(&self.ports);
        let id = PortId::random();
        let n = u8::try_from(ports.len() % 200).unwrap() + 2;
        let address = address.unwrap_or(IpAddr::V4(Ipv4Addr::new(10, 0, 0, n)));
        let port = PortInfo {
            id: id.clone(),
            name: String::new(),
            network,
            project_id: "p".into(),
            mac: format!("fa:16:3e:00:00:{n:02x}"),
            fixed_ips: vec![FixedIp { subnet_id: SUBNET.into(), address, floating: Vec::new() }],
            security_groups: vec![group("default")],
            device_id: device.into(),
            device_owner: String::new(),
            admin_state_up: true,
            status: "DOWN".into(),
            tap: format!("tap{}", &id.as_str()[..11]),
            vif_type: "unbound".into(),
            vnic_type: "normal".into(),
            tags: Vec::new(),
        };
        ports.insert(id.to_string(), port);
        id
    }

    fn change(
        &self,
        id: &PortId,
        change: impl FnOnce(&mut PortInfo),
    ) -> Result<PortInfo, CallError> {
        let mut ports = lock(&self.ports);
        let port = ports.get_mut(id.as_str()).ok_or_else(|| missing("port"))?;
        change(port);
        Ok(port.clone())
    }
}

fn group(name: &str) -> SecurityGroupInfo {
    SecurityGroupInfo {
        id: ids::named(name).into(),
        name: name.into(),
        description: name.into(),
        project_id: "p".into(),
    }
}

#[async_trait]
impl Networks for StubNetworks {
    async fn available(&self, _: &Ctx) -> Result<Vec<NetworkInfo>, CallError> {
        Ok(lock(&self.networks).clone())
    }

    async fn network(&self, _: &Ctx, id: &NetworkId) -> Result<NetworkInfo, CallError> {
        let all = lock(&self.networks);
        all.iter().find(|network| network.id == *id).cloned().ok_or_else(|| missing("network"))
    }

    async fn port(&self, _: &Ctx, id: &PortId) -> Result<PortInfo, CallError> {
        self.change(id, |_| {})
    }

    async fn ports_of(&self, _: &Ctx, server: &ServerId) -> Result<Vec<PortInfo>, CallError> {
        let all = lock(&self.ports);
        Ok(all.values().filter(|port| port.device_id == server.as_str()).cloned().collect())
    }

    async fn ports_of_all(
        &self,
        _: &Ctx,
        servers: &[ServerId],
    ) -> Result<Vec<PortInfo>, CallError> {
        let all = lock(&self.ports);
        let of = |port: &&PortInfo| servers.iter().any(|id| id.as_str() == port.device_id);
        Ok(all.values().filter(of).cloned().collect())
    }

    async fn create_port(&self, cx: &Ctx, new: NewPort) -> Result<PortInfo, CallError> {
        let network = self.network(cx, &new.network_id).await?;
        let address = new.fixed_ips.first().and_then(|ip| ip.address);
        let id = self.make(network, "", address);
        self.bind_port(cx, &id, new.binding).await
    }

    async fn bind_port(&self, _: &Ctx, id: &PortId, to: Binding) -> Result<PortInfo, CallError> {
        self.change(id, |port| {
            port.device_id = to.server_id.to_string();
            port.device_owner = to.device_owner;
            port.vif_type = "bridge".into();
        })
    }

    async fn unbind_port(&self, _: &Ctx, id: &PortId) -> Result<(), CallError> {
        self.change(id, |port| port.device_id.clear()).map(drop)
    }

    async fn delete_port(&self, _: &Ctx, id: &PortId) -> Result<(), CallError> {
        lock(&self.ports).remove(id.as_str());
        Ok(())
    }

    async fn plugged(&self, _: &Ctx, id: &PortId) -> Result<(), CallError> {
        self.change(id, |port| port.status = "ACTIVE".into()).map(drop)
    }

    async fn security_group(&self, _: &Ctx, name: &str) -> Result<SecurityGroupInfo, CallError> {
        match name {
            "default" | "web" => Ok(group(name)),
            _ => Err(missing("group")),
        }
    }

    async fn set_security_groups(
        &self,
        _: &Ctx,
        id: &PortId,
        groups: &[SecurityGroupId],
    ) -> Result<(), CallError> {
        let named: Vec<SecurityGroupInfo> = ["default", "web"]
            .into_iter()
            .map(group)
            .filter(|group| groups.contains(&group.id))
            .collect();
        self.change(id, |port| port.security_groups = named).map(drop)
    }

    async fn security_groups(
        &self,
        _: &Ctx,
        which: WhichGroups,
    ) -> Result<Vec<SecurityGroupRules>, CallError> {
        let all = lock(&self.groups).clone();
        let WhichGroups::This(id) = which else { return Ok(all) };
        let found = all.into_iter().find(|one| one.group.id == id);
        found.map(|one| vec![one]).ok_or_else(|| missing("group"))
    }

    async fn create_security_group(
        &self,
        _: &Ctx,
        name: &str,
        description: &str,
    ) -> Result<SecurityGroupRules, CallError> {
        if name == "default" {
            return Err(CallError::new(ErrorKind::Conflict, "", "default is there"));
        }
        let info = SecurityGroupInfo { description: description.into(), ..group(name) };
        let made = SecurityGroupRules { group: info, ingress: Vec::new() };
        lock(&self.groups).push(made.clone());
        Ok(made)
    }

    async fn update_security_group(
        &self,
        _: &Ctx,
        id: &SecurityGroupId,
        name: &str,
        description: &str,
    ) -> Result<SecurityGroupRules, CallError> {
        let mut all = lock(&self.groups);
        let one = all.iter_mut().find(|one| one.group.id == *id);
        let one = one.ok_or_else(|| missing("group"))?;
        one.group.name = name.into();
        one.group.description = description.into();
        Ok(one.clone())
    }

    async fn delete_security_group(&self, _: &Ctx, id: &SecurityGroupId) -> Result<(), CallError> {
        let mut all = lock(&self.groups);
        let at = all.iter().position(|one| one.group.id == *id);
        all.remove(at.ok_or_else(|| missing("group"))?);
        Ok(())
    }

    async fn create_security_group_rule(
        &self,
        _: &Ctx,
        new: NewIngressRule,
    ) -> Result<IngressRule, CallError> {
        let mut all = lock(&self.groups);
        let one = all.iter_mut().find(|one| one.group.id == new.group_id);
        let one = one.ok_or_else(|| missing("group"))?;
        let (cidr, remote_group) = match new.source {
            RuleSource::Cidr(net) => (Some(net.to_string()), None),
            RuleSource::Group(_) => (None, Some(group("web"))),
        };
        let rule = IngressRule {
            id: ids::uuid(),
            group_id: new.group_id,
            protocol: new.protocol,
            from: new.from,
            to: new.to,
            cidr,
            remote_group,
        };
        one.ingress.push(rule.clone());
        Ok(rule)
    }

    async fn delete_security_group_rule(&self, _: &Ctx, id: &str) -> Result<(), CallError> {
        let mut all = lock(&self.groups);
        let one = all.iter_mut().find(|one| one.ingress.iter().any(|rule| rule.id == id));
        one.ok_or_else(|| missing("rule"))?.ingress.retain(|rule| rule.id != id);
        Ok(())
    }
}
