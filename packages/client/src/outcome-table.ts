/**
 * For services that keep their own database: what became of a local transaction, written down in
 * that transaction itself. So whoever is asked about its half message reads it, in any process, at
 * any time. SQL as PostgreSQL has it; it knows no driver, and opens nothing.
 *
 * Invariant: a transaction id has one row, and the first one stands. Who is asked about an id
 * without a row writes 'rollback' for it before answering so; the insert of `record` that comes
 * later fails, and the transaction around it with it. One that is under way is waited for.
 */
import { assert } from '@sagalog/kernel'
import type { CheckBack } from './transactions.js'

/** Who runs SQL: Client, PoolClient and Pool of node-postgres are one, and so is PGlite. */
export interface SqlExecutor {
  query(text: string, values?: unknown[]): Promise<{ readonly rows: readonly unknown[] }>
}

export interface OutcomeTableOptions {
  /** Its name, with its schema where that is another; `sagalog_outcomes` unless told. */
  readonly table?: string
}

export interface OutcomeTable {
  /** Makes the table and its index where they are not there. */
  readonly ddl: readonly string[]
  /**
   * To be called inside the local transaction, on its own connection: when it commits, so does the
   * message. Rejects with the database's error for a duplicate key (SQLSTATE 23505) when it was
   * decided otherwise meanwhile: then the transaction must end, and with it nothing was done.
   */
  record(transaction: SqlExecutor, transactionId: string): Promise<void>
  /**
   * What stands for the id, which from now on can not change: for a local step that does not know
   * whether its commit went through. Outside any transaction; it waits for one that has recorded
   * the id and has not ended. 'unknown' when its row was cleaned away just then.
   */
  decide(executor: SqlExecutor, transactionId: string): Promise<'commit' | 'rollback' | 'unknown'>
  /** The producer's check-back: `decide`, for the half's transaction. */
  checkBack(executor: SqlExecutor): CheckBack
  /**
   * Deletes rows that are older, milliseconds, and gives their number. A row must outlive the time
   * in which its half may still be asked about: by a broker's defaults that is 8 minutes.
   */
  clean(executor: SqlExecutor, olderThanMs: number): Promise<number>
}

const NAME = /^[A-Za-z_]\w{0,62}(\.[A-Za-z_]\w{0,62})?$/

export function outcomeTable({
  table = 'sagalog_outcomes',
}: OutcomeTableOptions = {}): OutcomeTable {
  assert(NAME.test(table), 'a table is named by letters, digits and _, with a schema or without')
  const quoted = table
    .split('.')
    .map((part) => `"${part}"`)
    .join('.')
  const index = `"${table.replace('.', '_')}_decided_at"`

  const decide: OutcomeTable['decide'] = async (executor, transactionId) => {
    // Waits for a transaction that has written the row and has not ended.
    const written = await executor.query(
      `insert into ${quoted} (transaction_id, outcome) values ($1, 'rollback')
       on conflict (transaction_id) do nothing returning outcome`,
      [transactionId],
    )
    if (written.rows.length > 0) return 'rollback'
    // A statement of its own: the other one does not see what was committed while it waited.
    const found = await executor.query(`select outcome from ${quoted} where transaction_id = $1`, [
      transactionId,
    ])
    const row = found.rows[0] as { readonly outcome?: unknown } | undefined
    const outcome = row?.outcome
    return outcome === 'commit' || outcome === 'rollback' ? outcome : 'unknown'
  }

  return {
    ddl: [
      `create table if not exists ${quoted} (
         transaction_id text primary key,
         outcome text not null check (outcome in ('commit', 'rollback')),
         decided_at timestamptz not null default now()
       )`,
      `create index if not exists ${index} on ${quoted} (decided_at)`,
    ],
    async record(transaction, transactionId) {
      await transaction.query(
        `insert into ${quoted} (transaction_id, outcome) values ($1, 'commit')`,
        [transactionId],
      )
    },
    decide,
    checkBack: (executor) => (half) => decide(executor, half.transactionId),
    async clean(executor, olderThanMs) {
      const { rows } = await executor.query(
        `with gone as (
           delete from ${quoted}
           where decided_at < now() - $1::float8 * interval '1 millisecond' returning 1
         ) select count(*)::int as count from gone`,
        [olderThanMs],
      )
      const row = rows[0] as { readonly count?: unknown } | undefined
      return Number(row?.count ?? 0)
    },
  }
}
