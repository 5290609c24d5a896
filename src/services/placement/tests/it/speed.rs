//! How long the scheduler's question takes.

use std::time::{Duration, Instant};

use stackup_contracts::{CandidateQuery, Inventory, Placement as _, ProviderSpec};
use stackup_core::{Ctx, ProviderId, Time};

use crate::Fixture;

/// Generous, for unoptimised builds on busy machines; `cargo test --release` shows the real one.
const BOUND: Duration = Duration::from_millis(50);

#[tokio::test]
async fn candidates_among_a_hundred_hosts() {
    let fixture = Fixture::new().await;
    let port = &fixture.placement;
    let cx = Ctx::task("nova", Time::from_unix(0));
    for number in 0..100 {
        let spec = ProviderSpec {
            id: ProviderId::random(),
            name: format!("host{number}"),
            inventories: ["VCPU", "MEMORY_MB", "DISK_GB"]
                .map(|class| (class.to_owned(), Inventory::of(1000, 1.0)))
                .into(),
            traits: vec!["HW_CPU_X86_AVX2".into(), "COMPUTE_NODE".into()],
        };
        port.ensure_provider(&cx, &spec).await.unwrap();
    }
    let query = CandidateQuery {
        resources: [("VCPU".to_owned(), 1), ("MEMORY_MB".to_owned(), 64)].into(),
        required: vec!["HW_CPU_X86_AVX2".into()],
        ..CandidateQuery::default()
    };
    let times = 20;
    assert_eq!(port.candidates(&cx, &query).await.unwrap().len(), 100);
    let begun = Instant::now();
    for _ in 0..times {
        port.candidates(&cx, &query).await.unwrap();
    }
    let each = begun.elapsed() / times;
    assert!(each < BOUND, "{each:?} a question");
}
