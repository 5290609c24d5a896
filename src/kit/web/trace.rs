//! A request is a story: its spans, by request id, in a ring.
//!
//! Spans of `logic` and `drivers` hang below the span `request`, which carries the id; a service
//! that calls another through a contract stays inside it. `stackup trace REQ` reads the ring.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Requests kept.
const REQUESTS: usize = 2000;
/// Lines kept of one request.
const LINES: usize = 500;

/// One line of a story: a span that ended, or an event in it.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// How deep below the request.
    pub depth: usize,
    pub target: String,
    pub name: String,
    /// The fields, as `key=value`.
    pub fields: String,
    /// From the request's beginning.
    pub at_us: u64,
    /// Zero for an event.
    pub took_us: u64,
}

/// The stories of the last requests. Cheap to clone.
#[derive(Clone, Default)]
pub struct Ring(Arc<Mutex<Stories>>);

#[derive(Default)]
struct Stories {
    lines: HashMap<String, Vec<Line>>,
    order: VecDeque<String>,
}

impl Ring {
    /// The story of a request, in the order in which things began.
    pub fn story(&self, request_id: &str) -> Option<Vec<Line>> {
        let stories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = stories.lines.get(request_id)?.clone();
        lines.sort_by_key(|line| (line.at_us, line.depth));
        Some(lines)
    }

    /// The ids of the last requests, newest first.
    pub fn recent(&self) -> Vec<String> {
        let stories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        stories.order.iter().rev().cloned().collect()
    }

    fn add(&self, request_id: &str, line: Line) {
        let mut stories = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !stories.lines.contains_key(request_id) {
            stories.order.push_back(request_id.to_owned());
            if stories.order.len() > REQUESTS
                && let Some(oldest) = stories.order.pop_front()
            {
                stories.lines.remove(&oldest);
            }
        }
        let lines = stories.lines.entry(request_id.to_owned()).or_default();
        if lines.len() < LINES {
            lines.push(line);
        }
    }
}

/// The layer that fills a [`Ring`].
pub struct RingLayer(pub Ring);

/// What the layer keeps on a span.
struct Begun {
    request_id: Option<String>,
    fields: String,
    depth: usize,
    root: Instant,
    begun: Instant,
}

#[derive(Default)]
struct Reader {
    request_id: Option<String>,
    fields: String,
}

impl Visit for Reader {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "request_id" {
            self.request_id = Some(format!("{value:?}").trim_matches('"').to_owned());
            return;
        }
        if !self.fields.is_empty() {
            self.fields.push(' ');
        }
        if field.name() == "message" {
            self.fields.push_str(&format!("{value:?}"));
        } else {
            self.fields.push_str(&format!("{}={value:?}", field.name()));
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for RingLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let mut reader = Reader::default();
        attributes.record(&mut reader);
        let now = Instant::now();
        let parent = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            let begun = extensions.get::<Begun>()?;
            Some((begun.request_id.clone(), begun.depth + 1, begun.root))
        });
        let (inherited, depth, root) = parent.unwrap_or((None, 0, now));
        span.extensions_mut().insert(Begun {
            request_id: reader.request_id.or(inherited),
            fields: reader.fields,
            depth,
            root,
            begun: now,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        let Some(span) = cx.span(id) else { return };
        let mut reader = Reader::default();
        values.record(&mut reader);
        if let Some(begun) = span.extensions_mut().get_mut::<Begun>() {
            begun.fields.push(' ');
            begun.fields.push_str(&reader.fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let Some(span) = cx.event_span(event) else {
            return;
        };
        let extensions = span.extensions();
        let Some(begun) = extensions.get::<Begun>() else {
            return;
        };
        let Some(request_id) = &begun.request_id else {
            return;
        };
        let mut reader = Reader::default();
        event.record(&mut reader);
        let line = Line {
            depth: begun.depth + 1,
            target: event.metadata().target().to_owned(),
            name: event.metadata().level().to_string(),
            fields: reader.fields,
            at_us: micros(begun.root.elapsed()),
            took_us: 0,
        };
        self.0.add(request_id, line);
    }

    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let Some(span) = cx.span(&id) else { return };
        let extensions = span.extensions();
        let Some(begun) = extensions.get::<Begun>() else {
            return;
        };
        let Some(request_id) = &begun.request_id else {
            return;
        };
        let line = Line {
            depth: begun.depth,
            target: span.metadata().target().to_owned(),
            name: span.name().to_owned(),
            fields: begun.fields.clone(),
            at_us: micros(begun.begun.duration_since(begun.root)),
            took_us: micros(begun.begun.elapsed()),
        };
        self.0.add(request_id, line);
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
