//! The collector, as OpenTelemetry's exporter speaks to it: OTLP over gRPC or HTTP, on connections that [`Dialer`] makes. It
//! knows no requests.

use super::{export::EXPORTED_WITHIN, is_encrypted, port};
use crate::{
    config::{Config, OtlpEndpoint, OtlpProtocol},
    outbound::{Dialer, Encryption, Io},
};
use futures_util::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use opentelemetry::KeyValue;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig, WithTonicConfig};
use opentelemetry_sdk::{
    Resource,
    resource::{ResourceDetector, TelemetryResourceDetector},
    trace::SpanExporter as _,
};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};
use tonic::{metadata::MetadataMap, transport::Endpoint};

/// An exporter for the collector at `endpoint`.
pub(super) fn exporter(config: &Config, endpoint: &OtlpEndpoint) -> Result<SpanExporter, String> {
    let headers = config.otel_headers.iter().cloned();
    let built = match config.otel_protocol {
        OtlpProtocol::Grpc => {
            let channel = Endpoint::from(endpoint.origin())
                .connect_timeout(EXPORTED_WITHIN)
                .timeout(EXPORTED_WITHIN)
                .connect_with_connector_lazy(Connector::new(endpoint, "h2")?);
            SpanExporter::builder()
                .with_tonic()
                .with_channel(channel)
                .with_timeout(EXPORTED_WITHIN)
                .with_metadata(MetadataMap::from_headers(headers.collect()))
                .build()
        }
        OtlpProtocol::Http => {
            let client = HyperClient::new(Connector::new(endpoint, "http/1.1")?, EXPORTED_WITHIN, None);
            let text = |(name, value): (http::HeaderName, http::HeaderValue)| {
                Some((name.to_string(), value.to_str().ok()?.to_owned()))
            };
            SpanExporter::builder()
                .with_http()
                .with_http_client(client)
                .with_endpoint(endpoint.traces())
                .with_protocol(Protocol::HttpBinary)
                .with_timeout(EXPORTED_WITHIN)
                .with_headers(headers.filter_map(text).collect())
                .build()
        }
    };
    let mut exporter = built.map_err(|error| error.to_string())?;
    exporter.set_resource(&resource(config));
    Ok(exporter)
}

/// What all spans of this process have in common.
fn resource(config: &Config) -> Resource {
    let attributes = config.otel_resource_attributes.iter();
    let attributes = attributes.map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
    let name = KeyValue::new("service.name", env!("CARGO_PKG_NAME"));
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    // What comes later counts.
    let resource = Resource::builder_empty()
        .with_detector(Box::new(TelemetryResourceDetector) as Box<dyn ResourceDetector>)
        .with_attributes([name, version].into_iter().chain(attributes));
    match &config.otel_service_name {
        Some(name) => resource.with_service_name(name.clone()).build(),
        None => resource.build(),
    }
}

/// Connects to one collector, whatever is asked for.
#[derive(Clone, Debug)]
struct Connector {
    dialer: Dialer,
    address: Uri,
    encryption: Encryption,
}

impl Connector {
    fn new(endpoint: &OtlpEndpoint, protocol: &str) -> Result<Self, String> {
        let encryption = match is_encrypted(endpoint) {
            true => Encryption::Tls,
            false => Encryption::None,
        };
        Ok(Self { dialer: Dialer::new(&[protocol])?, address: endpoint.origin(), encryption })
    }
}

impl tower::Service<Uri> for Connector {
    type Response = Line;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Line>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { dialer, address, encryption } = self.clone();
        Box::pin(async move {
            let host = address.host().unwrap_or_default().trim_matches(['[', ']']);
            dialer.dial(host, port(&address), encryption).await.map(|io| Line(TokioIo::new(io)))
        })
    }
}

/// A connection that hyper's client can use.
struct Line(TokioIo<Box<dyn Io>>);

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
