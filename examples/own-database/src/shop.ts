/**
 * A shop whose orders stand in its own database, and whose messages go out when the order was
 * committed there and only then. No outbox table is polled: the half message is durable first, the
 * order and the half's id are one transaction of the database, and when the confirmation gets lost
 * the broker asks whether that id is there.
 */
import type { PGlite } from '@electric-sql/pglite'
import { type CheckBack, type Producer, topic } from '@sagalog/client'
import * as t from 'io-ts'

export const Placed = topic('orders-placed', t.type({ order: t.string, cents: t.number }))

export async function createTables(db: PGlite): Promise<void> {
  await db.exec(`
    create table if not exists orders (id text primary key, cents int check (cents > 0));
    create table if not exists decided_halves (id text primary key);
  `)
}

/** What became of the order that was to go with this half: its own transaction wrote it down. */
async function decisionOf(db: PGlite, halfId: string): Promise<'commit' | 'rollback'> {
  const { rows } = await db.query('select 1 from decided_halves where id = $1', [halfId])
  return rows.length > 0 ? 'commit' : 'rollback'
}

/** Answers the broker, which asks about a half whose confirmation got lost. */
export function checkBackOf(db: PGlite): CheckBack {
  return ({ id }) => decisionOf(db, id)
}

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
          await tx.query('insert into decided_halves values ($1)', [half.id])
          commit.before()
        })
      } catch {
        // The database says which it was: a lost answer to its commit is no refusal.
        return decisionOf(db, half.id)
      }
      commit.after()
      return 'commit'
    },
  )
  return outcome === 'commit'
}
