//! Relationships: what can be embedded in what, derived from foreign keys,
//! the origins of view columns, junctions and functions. It only derives; which
//! relationship a request means is decided in `plan/embed`.

/// How many rows of the target belong to one row of the source, and by which columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cardinality {
    /// The source has the foreign key.
    ManyToOne(Link),
    /// The target has the foreign key.
    OneToMany(Link),
    /// As `ManyToOne`, and the source's columns are unique.
    OneToOneChild(Link),
    /// As `OneToMany`, and the target's columns are unique.
    OneToOneParent(Link),
    /// Through a junction whose primary key holds both foreign keys.
    ManyToMany(Junction),
    /// By a function from the source's row; to one row at the most if `to_one`.
    Computed {
        /// The function's schema.
        function_schema: String,
        /// The function's name.
        function_name: String,
        /// Whether it gives one row at the most.
        to_one: bool,
    },
}

/// A foreign key's columns, seen from the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The constraint's name.
    pub constraint: String,
    /// Pairs of a source column and a target column.
    pub columns: Vec<(String, String)>,
}

/// A junction between two relations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Junction {
    /// The junction's OID.
    pub relation: u32,
    /// From the source to the junction: source column, junction column.
    pub source: Link,
    /// From the junction to the target: junction column, target column.
    pub target: Link,
}

/// One way to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relationship {
    /// The relation embedded into, by OID.
    pub source: u32,
    /// The relation embedded, by OID.
    pub target: u32,
    /// How.
    pub cardinality: Cardinality,
    /// Whether source or target takes part through a view rather than by
    /// a foreign key of its own.
    pub through_view: bool,
}
