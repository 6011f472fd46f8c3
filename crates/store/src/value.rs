//! How our values look inside a column: an instant is INTEGER microseconds on SQLite and `timestamptz` on Postgres.

use sqlx::{
    Decode, Encode, Postgres, Sqlite, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef, types::Oid},
    sqlite::{SqliteArgumentsBuffer, SqliteTypeInfo, SqliteValueRef},
};
use tollkeeper_core::time::{MachineTime, Timestamp};

/// An instant at the binding edge. It keeps its kind, so that business time cannot be read from a machine-time field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At<T>(pub(crate) T);

/// Either of the two times.
pub(crate) trait Instant: Copy {
    fn from_micros(micros: i64) -> Self;
    fn as_micros(self) -> i64;
}

impl Instant for Timestamp {
    fn from_micros(micros: i64) -> Self {
        Self::from_micros(micros)
    }
    fn as_micros(self) -> i64 {
        Self::as_micros(self)
    }
}

impl Instant for MachineTime {
    fn from_micros(micros: i64) -> Self {
        Self::from_micros(micros)
    }
    fn as_micros(self) -> i64 {
        Self::as_micros(self)
    }
}

/// Wraps an optional instant for binding.
pub(crate) fn at<T: Instant>(instant: Option<T>) -> Option<At<T>> {
    instant.map(At)
}

/// Unwraps an optional instant from a row.
pub(crate) fn instant<T: Instant>(column: Option<At<T>>) -> Option<T> {
    column.map(|At(instant)| instant)
}

/// `None` for JSON null: a document that says nothing is an empty column.
pub(crate) fn document(value: &serde_json::Value) -> Option<sqlx::types::Json<&serde_json::Value>> {
    (!value.is_null()).then_some(sqlx::types::Json(value))
}

/// 2000-01-01 in microseconds since the Unix epoch: where Postgres counts from.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
/// The finite instants of Postgres, counted from its epoch: `MIN_TIMESTAMP` to before `END_TIMESTAMP`.
const POSTGRES_RANGE: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;
/// Oids of `timestamptz` and `timestamptz[]`, fixed in `pg_type.dat`.
const TIMESTAMPTZ: Oid = Oid(1184);
const TIMESTAMPTZ_ARRAY: Oid = Oid(1185);

/// What `timestamptz` holds for an instant. What it cannot hold becomes `infinity` or `-infinity`: arithmetic on our
/// instants saturates, so the ends of time are values that occur.
fn to_postgres(micros: i64) -> i64 {
    match micros.checked_sub(POSTGRES_EPOCH) {
        Some(value) if POSTGRES_RANGE.contains(&value) => value,
        _ if micros < 0 => i64::MIN,
        _ => i64::MAX,
    }
}

fn from_postgres(value: i64) -> i64 {
    match value {
        i64::MIN | i64::MAX => value,
        _ => value.saturating_add(POSTGRES_EPOCH),
    }
}

impl<T> Type<Sqlite> for At<T> {
    fn type_info() -> SqliteTypeInfo {
        <i64 as Type<Sqlite>>::type_info()
    }
    fn compatible(ty: &SqliteTypeInfo) -> bool {
        <i64 as Type<Sqlite>>::compatible(ty)
    }
}

impl<T: Instant> Encode<'_, Sqlite> for At<T> {
    fn encode_by_ref(&self, buffer: &mut SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Sqlite>::encode(self.0.as_micros(), buffer)
    }
}

impl<'r, T: Instant> Decode<'r, Sqlite> for At<T> {
    fn decode(value: SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
        <i64 as Decode<'r, Sqlite>>::decode(value).map(|micros| Self(T::from_micros(micros)))
    }
}

impl<T> Type<Postgres> for At<T> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ)
    }
}

impl<T> PgHasArrayType for At<T> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMPTZ_ARRAY)
    }
}

impl<T: Instant> Encode<'_, Postgres> for At<T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(to_postgres(self.0.as_micros()), buffer)
    }
}

impl<'r, T: Instant> Decode<'r, Postgres> for At<T> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        // Every statement of ours is prepared, so Postgres answers in its binary format: the same eight bytes as a bigint.
        <i64 as Decode<'r, Postgres>>::decode(value).map(|value| Self(T::from_micros(from_postgres(value))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_holds_every_finite_instant_and_both_ends_of_time() {
        for micros in [0, -1, 1, POSTGRES_EPOCH, -86_400_000_001, i64::MAX, i64::MIN] {
            assert_eq!(from_postgres(to_postgres(micros)), micros);
        }
        assert_eq!(to_postgres(i64::MIN + 1), i64::MIN, "before the first finite instant is -infinity");
    }
}
