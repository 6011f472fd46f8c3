//! The two schemas: what both must keep, and that they are one.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{Connection, PgConnection, Row, SqliteConnection};
use tollkeeper_store::{Db, Options, Schema};
use tollkeeper_testkit::{
    both_engines,
    database::{Engine, TestDb},
};

/// Tables whose keys span organizations, because of what they are for.
const SHARED: [&str; 7] = ["organization", "provider_link", "inbox", "lease", "cursor", "api_key", "session"];

/// Columns of SQLite that hold JSON; there they are texts like any other.
const DOCUMENTS: [&str; 11] = [
    "metadata",
    "checkout_params",
    "scheduled_items",
    "owed_change",
    "before",
    "after",
    "ids",
    "payload",
    "scopes",
    "expected",
    "found",
];

#[derive(Debug, Default, PartialEq, Eq)]
struct Table {
    /// Column → (kind, may be null).
    columns: BTreeMap<String, (&'static str, bool)>,
    /// Name → (columns, an empty one where it is an expression; unique; partial).
    indexes: BTreeMap<String, (Vec<String>, bool, bool)>,
    primary_key: Vec<String>,
    defaults: BTreeSet<String>,
}

type Tables = BTreeMap<String, Table>;

/// The kind of a column, as both engines have it.
fn kind(declared: &str, column: &str) -> &'static str {
    match declared {
        "text" => "text",
        "TEXT" if DOCUMENTS.contains(&column) => "document",
        "TEXT" => "text",
        "jsonb" => "document",
        "bigint" => "integer",
        "boolean" => "boolean",
        "timestamp with time zone" => "instant",
        "bytea" | "BLOB" => "bytes",
        "INTEGER" if ["had_trial", "collection_paused", "dues_exhausted", "repaired"].contains(&column) => "boolean",
        "INTEGER"
            if ["_at", "_start", "_end", "_since", "_until", "_told"].iter().any(|end| column.ends_with(end))
                || ["at", "since"].contains(&column) =>
        {
            "instant"
        }
        "INTEGER" => "integer",
        other => panic!("{column} is `{other}`, which has no counterpart on the other engine"),
    }
}

async fn tables_of_sqlite(url: &str) -> Tables {
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    let mut tables = Tables::new();
    let query = "
        SELECT t.name AS name, c.name AS column_name, c.type AS type, c.[notnull] AS not_null, c.pk AS pk, c.dflt_value IS NOT NULL AS has_default
        FROM pragma_table_list AS t, pragma_table_info(t.name) AS c
        WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_%' AND t.name NOT LIKE '_sqlx%'
        ORDER BY t.name, c.pk";
    for row in sqlx::query(query).fetch_all(&mut connection).await.unwrap() {
        let column: String = row.get("column_name");
        let table = tables.entry(row.get("name")).or_default();
        table.columns.insert(column.clone(), (kind(row.get("type"), &column), !row.get::<bool, _>("not_null")));
        if row.get::<bool, _>("has_default") {
            table.defaults.insert(column.clone());
        }
        if row.get::<i64, _>("pk") > 0 {
            table.primary_key.push(column);
        }
    }
    let query = "
        SELECT t.name AS name, i.name AS index_name, i.[unique] AS is_unique, i.partial AS partial, c.name AS column_name
        FROM pragma_table_list AS t, pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS c
        WHERE t.schema = 'main' AND t.name NOT LIKE '_sqlx%' AND i.origin <> 'pk'
        ORDER BY t.name, i.name, c.seqno";
    for row in sqlx::query(query).fetch_all(&mut connection).await.unwrap() {
        let table = tables.get_mut(&row.get::<String, _>("name")).unwrap();
        let index = table.indexes.entry(row.get("index_name")).or_default();
        index.0.push(row.get("column_name"));
        (index.1, index.2) = (row.get("is_unique"), row.get("partial"));
    }
    tables
}

async fn tables_of_postgres(url: &str) -> Tables {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut tables = Tables::new();
    let query = "
        SELECT table_name::text AS name, column_name::text, data_type::text AS type, is_nullable = 'YES' AS nullable, column_default IS NOT NULL AS has_default
        FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'";
    for row in sqlx::query(query).fetch_all(&mut connection).await.unwrap() {
        let column: String = row.get("column_name");
        let table = tables.entry(row.get("name")).or_default();
        table.columns.insert(column.clone(), (kind(row.get("type"), &column), row.get("nullable")));
        if row.get::<bool, _>("has_default") {
            table.defaults.insert(column);
        }
    }
    let query = "
        SELECT t.relname::text AS name, x.relname::text AS index_name, i.indisprimary AS is_primary, i.indisunique AS is_unique,
               i.indpred IS NOT NULL AS partial, COALESCE(a.attname::text, '') AS column_name
        FROM pg_index AS i
        JOIN pg_class AS x ON x.oid = i.indexrelid
        JOIN pg_class AS t ON t.oid = i.indrelid
        JOIN pg_namespace AS n ON n.oid = t.relnamespace AND n.nspname = 'public'
        CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (attnum, place)
        LEFT JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = k.attnum
        WHERE t.relname NOT LIKE '\\_sqlx%'
        ORDER BY t.relname, x.relname, k.place";
    for row in sqlx::query(query).fetch_all(&mut connection).await.unwrap() {
        let table = tables.get_mut(&row.get::<String, _>("name")).unwrap();
        if row.get::<bool, _>("is_primary") {
            table.primary_key.push(row.get("column_name"));
            continue;
        }
        let index = table.indexes.entry(row.get("index_name")).or_default();
        index.0.push(row.get("column_name"));
        (index.1, index.2) = (row.get("is_unique"), row.get("partial"));
    }
    tables
}

#[tokio::test]
async fn the_two_schemas_are_one() {
    let (lite, pg) = (TestDb::new(Engine::Sqlite).await, TestDb::new(Engine::Postgres).await);
    let (lite, pg) = (tables_of_sqlite(lite.url()).await, tables_of_postgres(pg.url()).await);
    assert_eq!(lite.keys().collect::<Vec<_>>(), pg.keys().collect::<Vec<_>>());
    for (name, table) in &lite {
        assert_eq!(table, &pg[name], "{name}");
    }
}

both_engines! {
    async fn the_organization_comes_first_in_every_key(db: TestDb) {
        let tables = match db.engine() {
            Engine::Sqlite => tables_of_sqlite(db.url()).await,
            Engine::Postgres => tables_of_postgres(db.url()).await,
        };
        assert_eq!(tables.len(), 14, "{:?}", tables.keys());
        for (name, table) in &tables {
            let own = !SHARED.contains(&name.as_str());
            let names_one = own || ["provider_link", "api_key", "session"].contains(&name.as_str());
            assert_eq!(table.columns.contains_key("organization_id"), names_one, "{name}");
            if own {
                assert_eq!(table.primary_key[0], "organization_id", "the primary key of {name}");
                for (index, (columns, unique, _)) in &table.indexes {
                    assert!(!unique || columns[0] == "organization_id", "{index} of {name}");
                }
            }
            for (column, (_, nullable)) in &table.columns {
                let id = table.primary_key.contains(column) || ["provider_customer_id", "organization_id", "hash"].contains(&column.as_str());
                assert!(id || *nullable || table.defaults.contains(column), "{name}.{column} is neither nullable nor has a default");
            }
        }
    }

    async fn the_schema_is_current_and_migrating_again_changes_nothing(db: TestDb) {
        assert_eq!(db.db().schema().await.unwrap(), Schema::Current);
        db.db().migrate().await.unwrap();
        assert_eq!(db.db().schema().await.unwrap(), Schema::Current);
    }

    async fn a_newer_schema_is_told_apart_and_not_migrated(db: TestDb) {
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9, 'later', TRUE, ''";
        match db.engine() {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(db.url()).await.unwrap();
                sqlx::query(sqlx::AssertSqlSafe(format!("{sql}, 0)"))).execute(&mut connection).await.unwrap();
            }
            Engine::Postgres => {
                let mut connection = PgConnection::connect(db.url()).await.unwrap();
                sqlx::query(sqlx::AssertSqlSafe(format!("{sql}, 0)"))).execute(&mut connection).await.unwrap();
            }
        }
        assert_eq!(db.db().schema().await.unwrap(), Schema::Ahead { have: 9, want: 1 });
        let refused = db.db().migrate().await;
        assert!(matches!(refused, Err(tollkeeper_store::Error::Schema(_))), "{refused:?}");
        assert!(db.db().migrate().await.is_err(), "a refused migration keeps no lock");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_may_create_and_migrate_one_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("new.db").display());
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move {
                let db = Db::connect(&url, &Options::default()).await.unwrap();
                db.migrate().await.unwrap();
                db.schema().await.unwrap()
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Schema::Current);
    }
}

#[tokio::test]
async fn a_new_file_is_empty_until_it_is_migrated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new.db");
    let db = Db::connect(&format!("sqlite:{}", path.display()), &Options::default()).await.unwrap();
    assert!(path.exists());
    assert_eq!(db.schema().await.unwrap(), Schema::Empty);
}
