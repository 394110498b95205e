//! Groups of the embedded log: the rows of [`crate::group::Group`], shared by all processes on the folder.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use crate::group::{Group, Member, Place};
use crate::local::{Seat, wall_clock_ms};
use crate::{Offset, Partition, Result};

pub(super) fn beat(
    connection: &mut Connection,
    seat: &Seat,
    holding: &BTreeSet<Place>,
    partitions_of: impl Fn(&str) -> u32,
) -> Result<BTreeSet<Place>> {
    change(connection, &seat.group, |group| {
        group.beat(wall_clock_ms(), &seat.name, &seat.topics, holding, partitions_of)
    })
}

pub(super) fn leave(connection: &mut Connection, seat: &Seat) -> Result<()> {
    change(connection, &seat.group, |group| group.leave(&seat.name))
}

pub(super) fn commit(connection: &Connection, group: &str, place: &Place, next: Offset) -> Result<()> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO committed (grp, topic, partition, next) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![group, place.0, place.1, next.cast_signed()])?;
    Ok(())
}

pub(super) fn committed(connection: &Connection, group: &str, place: &Place) -> Result<Option<Offset>> {
    let next: Option<i64> = connection
        .prepare_cached("SELECT next FROM committed WHERE grp = ?1 AND topic = ?2 AND partition = ?3")?
        .query_row(params![group, place.0, place.1], |row| row.get(0))
        .optional()?;
    Ok(next.map(i64::cast_unsigned))
}

/// Reads the group, changes it, and writes what became different, all under the write lock.
fn change<T>(connection: &mut Connection, name: &str, change: impl FnOnce(&mut Group) -> T) -> Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let before = load(&transaction, name)?;
    let mut after = before.clone();
    let result = change(&mut after);
    save(&transaction, name, &before, &after)?;
    transaction.commit()?;
    Ok(result)
}

fn load(transaction: &Transaction, name: &str) -> Result<Group> {
    let mut group = Group::default();
    let mut statement = transaction.prepare_cached("SELECT name, topics, lease_end_ms FROM members WHERE grp = ?1")?;
    let mut rows = statement.query([name])?;
    while let Some(row) = rows.next()? {
        let topics: String = row.get(1)?;
        let member = Member { topics: topics.lines().map(str::to_owned).collect(), lease_end_ms: row.get(2)? };
        group.members.insert(row.get(0)?, member);
    }
    let mut statement = transaction.prepare_cached("SELECT topic, partition, name FROM claims WHERE grp = ?1")?;
    let mut rows = statement.query([name])?;
    while let Some(row) = rows.next()? {
        group.claims.insert((row.get(0)?, row.get::<_, Partition>(1)?), row.get(2)?);
    }
    Ok(group)
}

fn save(transaction: &Transaction, name: &str, before: &Group, after: &Group) -> Result<()> {
    for gone in before.members.keys().filter(|m| !after.members.contains_key(*m)) {
        transaction.prepare_cached("DELETE FROM members WHERE grp = ?1 AND name = ?2")?.execute([name, gone])?;
    }
    for (member, row) in after.members.iter().filter(|(m, row)| before.members.get(*m) != Some(row)) {
        let topics: Vec<&str> = row.topics.iter().map(String::as_str).collect();
        transaction
            .prepare_cached("INSERT OR REPLACE INTO members (grp, name, topics, lease_end_ms) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![name, member, topics.join("\n"), row.lease_end_ms])?;
    }
    for gone in before.claims.keys().filter(|place| !after.claims.contains_key(*place)) {
        transaction
            .prepare_cached("DELETE FROM claims WHERE grp = ?1 AND topic = ?2 AND partition = ?3")?
            .execute(params![name, gone.0, gone.1])?;
    }
    for (place, holder) in after.claims.iter().filter(|(place, holder)| before.claims.get(*place) != Some(holder)) {
        transaction
            .prepare_cached("INSERT OR REPLACE INTO claims (grp, topic, partition, name) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![name, place.0, place.1, holder])?;
    }
    Ok(())
}
