/**
 * A shop whose orders stand in its own database, and whose messages go out when the order was
 * committed there and only then. No outbox table is polled: the half message is durable first, the
 * order and the row that says so are one transaction of the database, and when the confirmation
 * gets lost the broker asks for that row.
 */
import type { PGlite } from '@electric-sql/pglite'
import { type CheckBack, outcomeTable, type Producer, topic } from '@sagalog/client'
import * as t from 'io-ts'

export const Placed = topic('orders-placed', t.type({ order: t.string, cents: t.number }))

/** What became of each local transaction: a row that it wrote itself. */
const outcomes = outcomeTable()

export async function createTables(db: PGlite): Promise<void> {
  await db.query(
    'create table if not exists orders (id text primary key, cents int check (cents > 0))',
  )
  for (const statement of outcomes.ddl) await db.query(statement)
}

/** Answers the broker, which asks about a half whose confirmation got lost. */
export const checkBackOf = (db: PGlite): CheckBack => outcomes.checkBack(db)

/** Called around the commit of the database: where the example can be made to die. */
export interface Moments {
  readonly before: () => void
  readonly after: () => void
}

/**
 * Places an order and tells whoever listens. Gives false, and tells nobody, when the database
 * refuses it. After a crash in the middle both are there or neither is.
 */
export async function placeOrder(
  { db, producer }: { readonly db: PGlite; readonly producer: Producer },
  { order, cents }: { readonly order: string; readonly cents: number },
  commit: Moments,
): Promise<boolean> {
  const { outcome } = await producer.sendInTransaction(
    Placed,
    { order, cents },
    { shardingKey: order, keys: [order] },
    async (half) => {
      try {
        await db.transaction(async (tx) => {
          await tx.query('insert into orders values ($1, $2)', [order, cents])
          await outcomes.record(tx, half.transactionId)
          commit.before()
        })
      } catch {
        // The database says which it was: a lost answer to its commit is no refusal.
        return outcomes.decide(db, half.transactionId)
      }
      commit.after()
      return 'commit'
    },
  )
  return outcome === 'commit'
}
