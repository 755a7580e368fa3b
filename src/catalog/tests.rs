//! Look-ups that are made once.

use super::{
    Catalog,
    descriptor::{Database, Schema},
};

#[test]
fn the_names_of_what_is_related_are_taken_apart_once_for_each_relation() {
    let schemas = vec![Schema { name: "api".to_owned(), comment: None }];
    let catalog = Catalog::new(Database { schemas, ..Database::default() });
    let asked = |source, names: &mut dyn Iterator<Item = &'static str>| {
        catalog.target_like(("api", source), names, "authrs", 0.33)
    };
    assert_eq!(asked(1, &mut ["authors", "books"].into_iter()).as_deref(), Some("authors"));
    let mut never = std::iter::from_fn(|| -> Option<&str> { panic!("they have been taken apart") });
    assert_eq!(asked(1, &mut never).as_deref(), Some("authors"));
    assert_eq!(asked(2, &mut ["books"].into_iter()), None);
}
