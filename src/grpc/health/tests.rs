//! Calls through the tower service, as a client makes them.

use super::*;
use crate::server::shutdown::{ShutdownTrigger, shutdown_channel};
use futures_util::FutureExt as _;
use tonic::{Code, Streaming};
use tonic_health::pb::health_client::HealthClient;

const STUDENTS: &str = "api.v1.StudentsService";
const TEACHERS: &str = "api.v1.TeachersService";

fn health() -> (Health, ShutdownTrigger) {
    let (trigger, shutdown) = shutdown_channel();
    let health = Health::new(&[STUDENTS.to_owned()], shutdown);
    health.serving().set(Database::Present);
    (health, trigger)
}

fn request(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.to_owned() }
}

async fn check(health: &Health, service: &str) -> Result<ServingStatus, Code> {
    let answer = HealthClient::new(health.server()).check(request(service)).await;
    answer.map(|answer| answer.into_inner().status()).map_err(|status| status.code())
}

async fn watch(health: &Health, service: &str) -> Streaming<HealthCheckResponse> {
    HealthClient::new(health.server()).watch(request(service)).await.unwrap().into_inner()
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> Option<ServingStatus> {
    watch.message().await.unwrap().map(|answer| answer.status())
}

#[tokio::test]
async fn a_known_service_and_the_server_serve_and_an_unknown_service_is_not_found() {
    let (health, _trigger) = health();
    assert_eq!(check(&health, STUDENTS).await, Ok(ServingStatus::Serving));
    assert_eq!(check(&health, "").await, Ok(ServingStatus::Serving));
    assert_eq!(check(&health, TEACHERS).await, Err(Code::NotFound));
}

#[tokio::test]
async fn nothing_serves_while_the_database_is_away() {
    let (health, _trigger) = health();
    health.serving().set(Database::Away);
    assert_eq!(check(&health, STUDENTS).await, Ok(ServingStatus::NotServing));
    assert_eq!(check(&health, "").await, Ok(ServingStatus::NotServing));
    assert_eq!(check(&health, TEACHERS).await, Err(Code::NotFound));
}

#[tokio::test]
async fn nothing_serves_before_the_database_has_been_heard_of() {
    let (_trigger, shutdown) = shutdown_channel();
    assert_eq!(check(&Health::new(&[], shutdown), "").await, Ok(ServingStatus::NotServing));
}

#[tokio::test]
async fn a_watch_sees_the_database_go_and_come_back() {
    let (health, _trigger) = health();
    let mut watch = watch(&health, STUDENTS).await;
    assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
    health.serving().set(Database::Away);
    assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
    health.serving().set(Database::Present);
    assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
}

#[tokio::test]
async fn a_watch_sees_a_reload_take_its_service_away_and_bring_another() {
    let (health, _trigger) = health();
    let mut students = watch(&health, STUDENTS).await;
    let mut teachers = watch(&health, TEACHERS).await;
    assert_eq!(next(&mut students).await, Some(ServingStatus::Serving));
    assert_eq!(next(&mut teachers).await, Some(ServingStatus::ServiceUnknown));
    health.serving().replace_services(&[TEACHERS.to_owned()]);
    assert_eq!(next(&mut students).await, Some(ServingStatus::ServiceUnknown));
    assert_eq!(next(&mut teachers).await, Some(ServingStatus::Serving));
    assert_eq!(check(&health, STUDENTS).await, Err(Code::NotFound));
}

#[tokio::test]
async fn a_watch_is_not_told_what_it_knows() {
    let (health, _trigger) = health();
    let mut watch = watch(&health, STUDENTS).await;
    assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
    health.serving().replace_services(&[STUDENTS.to_owned(), TEACHERS.to_owned()]);
    assert!(watch.message().now_or_never().is_none());
    health.serving().set(Database::Away);
    assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
}

#[tokio::test]
async fn a_watch_ends_when_the_server_goes_down() {
    let (health, trigger) = health();
    let mut watch = watch(&health, STUDENTS).await;
    assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
    trigger.announce();
    assert_eq!(next(&mut watch).await, None);
}
