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
/// `sql!(c, one Row, "… $1 …", a)` reads one row, `opt` at most one, `all` all; `sql!(c, exec, "…", a)` answers the
/// number of rows it touched. `lite "…" pg "…"` takes two texts where the engines differ; only `dialect.rs` uses that.
macro_rules! sql {
    (@go one $t:ty, $q:expr, $c:expr, $($a:expr),*) => { sqlx::query_as::<_, $t>($q)$(.bind($a))*.fetch_one($c).await };
    (@go opt $t:ty, $q:expr, $c:expr, $($a:expr),*) => { sqlx::query_as::<_, $t>($q)$(.bind($a))*.fetch_optional($c).await };
    (@go all $t:ty, $q:expr, $c:expr, $($a:expr),*) => { sqlx::query_as::<_, $t>($q)$(.bind($a))*.fetch_all($c).await };
    (@go exec $t:ty, $q:expr, $c:expr, $($a:expr),*) => {
        sqlx::query($q)$(.bind($a))*.execute($c).await.map(|done| done.rows_affected())
    };
    ($c:expr, exec, $($rest:tt)*) => { sql!($c, exec (), $($rest)*) };
    (@on $c:expr, $m:ident $t:ty, $l:expr, $p:expr $(, $a:expr)*) => {
        match $c {
            $crate::db::C::Lite(c) => sql!(@go $m $t, $l, c, $($a),*),
            $crate::db::C::Pg(c) => sql!(@go $m $t, $p, c, $($a),*),
        }
        .map_err($crate::Error::from)
    };
    ($c:expr, $m:ident $t:ty, lite $l:literal pg $p:literal $(, $a:expr)* $(,)?) => {
        sql!(@on $c, $m $t, $l, $p $(, $a)*)
    };
    ($c:expr, $m:ident $t:ty, $q:expr $(, $a:expr)* $(,)?) => { sql!(@on $c, $m $t, $q, $q $(, $a)*) };
}
