//! The two macros that let one SQL text and one row type serve both engines.

/// Declares a row as both engines return it: every field is read from the column of its name.
///
/// ```text
/// row! { struct Version { id: String, version: i64 } }
/// ```
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($field_vis:vis $field:ident: $type:ty),* $(,)? }) => {
        $(#[$meta])*
        $vis struct $name { $($field_vis $field: $type),* }

        impl<'r, R: sqlx::Row> sqlx::FromRow<'r, R> for $name
        where
            &'static str: sqlx::ColumnIndex<R>,
            $($type: sqlx::Decode<'r, R::Database> + sqlx::Type<R::Database>),*
        {
            fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: row.try_get(stringify!($field))?),* })
            }
        }
    };
}

/// Runs one statement on whichever engine `$c` is connected to.
///
/// - `sql!(c, one Row, "… $1 …", a)` reads one row, `opt` at most one, `all` all.
/// - `sql!(c, exec, "…", a)` answers the number of rows it touched.
/// - `sql!(c, all Row among ids, "… WHERE id", "AND b = $2", b)` has a condition between the two halves: one of a list of
///   texts, which is `$1`. Likewise `exec among`.
/// - `sql!(c, exec rows items, "INSERT INTO t (a, b)", "ON CONFLICT …", |item| (item.a, item.b))` inserts all of a list in
///   one statement, and nothing when it is empty. Likewise `all Row rows`, with RETURNING. Any statement will do that has
///   a list of values between its two halves, such as `"WITH new (id, a) AS ("` and `") UPDATE t SET a = new.a FROM new …"`.
///   SQLite gets many VALUES, Postgres an array for each column: there the text, and with it the plan, is the same for
///   every length.
/// - A limit is written `LIMIT $1 + 0`: for a bare parameter SQLite plans the statement anew each time it is run, because
///   the plan may depend on the value.
/// - `lite "…" pg "…"` takes two texts where the engines differ; only `dialect.rs` uses that.
macro_rules! sql {
    (@go one $t:ty, $q:expr, $c:expr, $($a:expr),*) => { sqlx::query_as::<_, $t>($q)$(.bind($a))*.fetch_one($c).await };
    (@go opt $t:ty, $q:expr, $c:expr, $($a:expr),*) => { sqlx::query_as::<_, $t>($q)$(.bind($a))*.fetch_optional($c).await };
    (@go all $t:ty, $q:expr, $c:expr, $($a:expr),*) => { sqlx::query_as::<_, $t>($q)$(.bind($a))*.fetch_all($c).await };
    (@go exec $t:ty, $q:expr, $c:expr, $($a:expr),*) => {
        sqlx::query($q)$(.bind($a))*.execute($c).await.map(|done| done.rows_affected())
    };
    (@query exec $t:ty, $text:expr) => { sqlx::query(sqlx::AssertSqlSafe($text)) };
    (@query all $t:ty, $text:expr) => { sqlx::query_as::<_, $t>(sqlx::AssertSqlSafe($text)) };
    (@column $items:expr, $item:ident, $a:expr) => {{
        let mut column = Vec::with_capacity($items.len());
        for $item in $items.iter() {
            // It may be the same in all rows.
            let _ = $item;
            column.push($a);
        }
        column
    }};
    (@done exec $query:expr, $c:expr) => { $query.execute($c).await.map(|done| done.rows_affected()) };
    (@done all $query:expr, $c:expr) => { $query.fetch_all($c).await };
    ($c:expr, $m:ident ($t:ty) rows $items:expr, $insert:expr, $conflict:expr, |$item:ident| ($($a:expr),* $(,)?)) => {{
        let columns = [$(stringify!($a)),*].len();
        match $c {
            // There is no INSERT of no rows.
            _ if $items.is_empty() => Ok(Default::default()),
            $crate::db::C::Lite(c) => {
                let text = $crate::macros::with_values($insert, $items.len(), columns, $conflict);
                let mut query = sql!(@query $m $t, text);
                for $item in $items.iter() {
                    query = query$(.bind($a))*;
                }
                sql!(@done $m query, c)
            }
            $crate::db::C::Pg(c) => {
                let text = $crate::macros::with_arrays($insert, columns, $conflict);
                let query = sql!(@query $m $t, text)$(.bind(sql!(@column $items, $item, $a)))*;
                sql!(@done $m query, c)
            }
        }
        .map_err($crate::Error::from)
    }};
    ($c:expr, exec rows $($rest:tt)*) => { sql!($c, exec (()) rows $($rest)*) };
    ($c:expr, $m:ident $t:ident rows $($rest:tt)*) => { sql!($c, $m ($t) rows $($rest)*) };
    ($c:expr, exec among $($rest:tt)*) => { sql!($c, exec (()) among $($rest)*) };
    ($c:expr, exec, $($rest:tt)*) => { sql!($c, exec (), $($rest)*) };
    (@on $c:expr, $m:ident $t:ty, $l:expr, $p:expr $(, $a:expr)*) => {
        match $c {
            $crate::db::C::Lite(c) => sql!(@go $m $t, $l, c, $($a),*),
            $crate::db::C::Pg(c) => sql!(@go $m $t, $p, c, $($a),*),
        }
        .map_err($crate::Error::from)
    };
    ($c:expr, $m:ident ($t:ty) among $ids:expr, $before:expr, $after:expr $(, $a:expr)* $(,)?) => {
        match $c {
            $crate::db::C::Lite(c) => {
                let text = concat!($before, " IN (SELECT value FROM json_each($1)) ", $after);
                sql!(@go $m $t, text, c, sqlx::types::Json($ids) $(, $a)*)
            }
            $crate::db::C::Pg(c) => {
                let text = concat!($before, " = ANY($1) ", $after);
                sql!(@go $m $t, text, c, $ids $(, $a)*)
            }
        }
        .map_err($crate::Error::from)
    };
    ($c:expr, $m:ident $t:ident among $($rest:tt)*) => { sql!($c, $m ($t) among $($rest)*) };
    ($c:expr, $m:ident $t:ty, lite $l:literal pg $p:literal $(, $a:expr)* $(,)?) => {
        sql!(@on $c, $m $t, $l, $p $(, $a)*)
    };
    ($c:expr, $m:ident $t:ty, $q:expr $(, $a:expr)* $(,)?) => { sql!(@on $c, $m $t, $q, $q $(, $a)*) };
}

/// Two row types read from the columns of one row, as a join returns them.
pub(crate) struct Both<A, B>(pub(crate) A, pub(crate) B);

impl<'r, R: sqlx::Row, A: sqlx::FromRow<'r, R>, B: sqlx::FromRow<'r, R>> sqlx::FromRow<'r, R> for Both<A, B> {
    fn from_row(row: &'r R) -> Result<Self, sqlx::Error> {
        Ok(Self(A::from_row(row)?, B::from_row(row)?))
    }
}

/// A text with so many rows of so many parameters between its halves.
pub(crate) fn with_values(before: &str, rows: usize, columns: usize, after: &str) -> String {
    // Without numbers: SQLite looks for those that have one in a list of all of them.
    let row = format!("({})", vec!["?"; columns].join(", "));
    format!("{before} VALUES {} {after}", vec![row; rows].join(", "))
}

/// A text with the rows of so many arrays between its halves.
pub(crate) fn with_arrays(before: &str, columns: usize, after: &str) -> String {
    let arrays: Vec<String> = (1..=columns).map(|number| format!("${number}")).collect();
    format!("{before} SELECT * FROM UNNEST({}) {after}", arrays.join(", "))
}
