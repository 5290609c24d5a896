//! The door for other services.

use stackup_contracts::{
    Allocation, CandidateQuery, Consumer, Inventory, Placement as _, ProviderSpec, Resources,
};
use stackup_core::{Ctx, ErrorKind, ProviderId, Time, ids};

use crate::Fixture;

fn cx() -> Ctx {
    Ctx::task("nova", Time::from_unix(0))
}

fn host(vcpus: u64) -> ProviderSpec {
    ProviderSpec {
        id: ids::named("host").into(),
        name: "host".into(),
        inventories: [
            ("VCPU".to_owned(), Inventory::of(vcpus, 2.0)),
            ("CUSTOM_GPU".to_owned(), Inventory::of(1, 1.0)),
        ]
        .into(),
        traits: vec!["CUSTOM_FAST".into(), "HW_CPU_X86_AVX2".into()],
    }
}

fn resources(vcpus: u64) -> Resources {
    [("VCPU".to_owned(), vcpus)].into()
}

fn consumer(id: &str) -> Consumer {
    Consumer {
        id: id.to_owned(),
        project_id: "p".into(),
        user_id: "u".into(),
        kind: "INSTANCE".into(),
    }
}

fn of_host(vcpus: u64) -> [Allocation; 1] {
    [Allocation { provider: host(0).id, resources: resources(vcpus) }]
}

#[tokio::test]
async fn a_provider_is_made_as_described_and_changed_only_when_it_differs() {
    let fixture = Fixture::new().await;
    let port = &fixture.placement;
    port.ensure_provider(&cx(), &host(4)).await.unwrap();
    let made = fixture.generation(&host(4).id).await;
    port.ensure_provider(&cx(), &host(4)).await.unwrap();
    assert_eq!(fixture.generation(&host(4).id).await, made, "nothing was written");
    port.ensure_provider(&cx(), &host(8)).await.unwrap();
    assert!(fixture.generation(&host(4).id).await > made);
    let found = port
        .candidates(&cx(), &CandidateQuery { resources: resources(8), ..Default::default() })
        .await
        .unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].name.as_str(), found[0].usage["VCPU"]), ("host", (0, 16)));
    assert_eq!(found[0].traits, ["CUSTOM_FAST", "HW_CPU_X86_AVX2"]);
}

#[tokio::test]
async fn resources_are_taken_moved_and_given_back() {
    let fixture = Fixture::new().await;
    let port = &fixture.placement;
    port.ensure_provider(&cx(), &host(4)).await.unwrap();
    let (one, two) = (ids::uuid(), ids::uuid());
    port.allocate(&cx(), &consumer(&one), &of_host(4)).await.unwrap();
    // All of what it has is replaced, so that a resize within the host fits.
    port.allocate(&cx(), &consumer(&one), &of_host(3)).await.unwrap();
    port.allocate(&cx(), &consumer(&two), &of_host(4)).await.unwrap();
    let full = port.allocate(&cx(), &consumer(&one), &of_host(5)).await.unwrap_err();
    assert_eq!(full.kind, ErrorKind::Conflict);
    assert_eq!(port.allocations(&cx(), &one).await.unwrap(), of_host(3));

    let mut users = port.consumers(&cx(), &host(4).id).await.unwrap();
    users.sort();
    let mut expected = vec![one.clone(), two.clone()];
    expected.sort();
    assert_eq!(users, expected);
    let busy = port.delete_provider(&cx(), &host(4).id).await.unwrap_err();
    assert_eq!(busy.kind, ErrorKind::Conflict);
    for id in [&one, &two, &one] {
        port.release(&cx(), id).await.unwrap();
    }
    assert_eq!(port.allocations(&cx(), &one).await.unwrap(), []);
    port.delete_provider(&cx(), &host(4).id).await.unwrap();
}

#[tokio::test]
async fn candidates_know_traits_and_aggregates() {
    let fixture = Fixture::new().await;
    let port = &fixture.placement;
    port.ensure_provider(&cx(), &host(4)).await.unwrap();
    let mut slow = host(4);
    (slow.id, slow.name, slow.traits) = (ProviderId::random(), "slow".into(), Vec::new());
    port.ensure_provider(&cx(), &slow).await.unwrap();
    let aggregate = ids::uuid();
    port.set_aggregates(&cx(), &slow.id, std::slice::from_ref(&aggregate)).await.unwrap();
    let names = async |query: CandidateQuery| -> Vec<String> {
        let query = CandidateQuery { resources: resources(1), ..query };
        let found = port.candidates(&cx(), &query).await.unwrap();
        found.into_iter().map(|candidate| candidate.name).collect()
    };
    let any = CandidateQuery::default;
    assert_eq!(names(any()).await, ["host", "slow"]);
    let fast = vec!["CUSTOM_FAST".to_owned()];
    assert_eq!(names(CandidateQuery { required: fast.clone(), ..any() }).await, ["host"]);
    assert_eq!(names(CandidateQuery { forbidden: fast, ..any() }).await, ["slow"]);
    let member_of = vec![vec![aggregate]];
    assert_eq!(names(CandidateQuery { member_of, ..any() }).await, ["slow"]);
    assert_eq!(names(CandidateQuery { limit: Some(1), ..any() }).await, ["host"]);
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_not_found() {
    let fixture = Fixture::new().await;
    let lost = fixture.placement.delete_provider(&cx(), &ProviderId::random()).await;
    assert!(lost.unwrap_err().is_not_found());
}

#[tokio::test]
async fn many_servers_at_once_do_not_overbook() {
    let fixture = Fixture::new().await;
    let port = &fixture.placement;
    port.ensure_provider(&cx(), &host(4)).await.unwrap();
    let tasks = (0..20).map(|_| {
        let port = std::sync::Arc::clone(port);
        async move { port.allocate(&cx(), &consumer(&ids::uuid()), &of_host(1)).await.is_ok() }
    });
    let fitted = futures::future::join_all(tasks).await;
    assert_eq!(fitted.into_iter().filter(|ok| *ok).count(), 8);
}
