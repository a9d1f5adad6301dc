/** What the outcome table promises, on PostgreSQL in process, and on a server where one is. */
import { PGlite } from '@electric-sql/pglite'
import { type Half, outcomeTable, type ReceivedMessage, type SqlExecutor } from '@sagalog/client'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startPostgres } from '../../../bench/src/peer-servers.js'

/** The example is of the quick run; these take seconds to start. */
const isFull = process.env['SAGALOG_FULL'] === '1'
const outcomes = outcomeTable({ table: 'shop_outcomes' })
const half = (transactionId: string): Half => ({ transactionId }) as Half

/** What any PostgreSQL must do. */
function promises(executor: () => SqlExecutor): void {
  it('is made once, and the first outcome of an id stands', async () => {
    const db = executor()
    for (const statement of [...outcomes.ddl, ...outcomes.ddl]) await db.query(statement)
    await outcomes.record(db, 'a')
    const checkBack = outcomes.checkBack(db)
    const message = {} as ReceivedMessage
    expect(await checkBack(half('a'), message)).toBe('commit')
    expect(await checkBack(half('b'), message)).toBe('rollback')
    expect(await outcomes.decide(db, 'b')).toBe('rollback')
    // Whoever comes late is refused by the database, and his transaction with him.
    await expect(outcomes.record(db, 'b')).rejects.toMatchObject({ code: '23505' })
    await expect(outcomes.record(db, 'a')).rejects.toMatchObject({ code: '23505' })
    expect(await outcomes.decide(db, 'a')).toBe('commit')
  })

  it('lets old rows go', async () => {
    const db = executor()
    await db.query(
      "update shop_outcomes set decided_at = now() - interval '1 hour' where transaction_id = 'a'",
    )
    expect(await outcomes.clean(db, 7_200_000)).toBe(0)
    expect(await outcomes.clean(db, 1_800_000)).toBe(1)
    expect(await outcomes.decide(db, 'b')).toBe('rollback')
  })
}

describe.runIf(isFull)('an outcome table on PGlite', () => {
  let db: PGlite
  beforeAll(async () => {
    db = await PGlite.create()
  })
  afterAll(() => db.close())
  promises(() => db)

  it('has the row of a local transaction when that commits, and only then', async () => {
    await db.transaction((tx) => outcomes.record(tx, 'c'))
    await db
      .transaction(async (tx) => {
        await outcomes.record(tx, 'd')
        throw new Error('no')
      })
      .catch(() => undefined)
    expect(await outcomes.decide(db, 'c')).toBe('commit')
    expect(await outcomes.decide(db, 'd')).toBe('rollback')
  })
})

const folder = isFull ? mkdtempSync(join(tmpdir(), 'sagalog-outcomes-')) : ''
const server = isFull ? await startPostgres(folder) : 'it is of the full run'
const why = typeof server === 'string' ? ` (skipped: ${server})` : ''
const where = typeof server === 'string' ? '' : server.where

describe.runIf(where !== '')(`an outcome table on a server, by node-postgres${why}`, () => {
  const pool = new pg.Pool({ connectionString: where })
  // The pool has ended before its connections have, and a server that stops tells them so.
  const ends: Promise<void>[] = []
  pool.on('connect', (client) => {
    ends.push(new Promise((resolve) => client.once('end', resolve)))
  })
  afterAll(async () => {
    await pool.end()
    await Promise.all(ends)
    if (typeof server !== 'string') await server.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  promises(() => pool)

  it.each(['commit', 'rollback'] as const)(
    'a check-back that comes while the local transaction runs waits for its %s',
    async (end) => {
      const id = `race ${end}`
      const local = await pool.connect()
      await local.query('begin')
      await outcomes.record(local, id)
      let answer: string | undefined
      const asked = outcomes.decide(pool, id).then((outcome) => (answer = outcome))
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(answer).toBeUndefined()
      await local.query(end)
      local.release()
      expect(await asked).toBe(end)
    },
  )

  it('a local transaction that records after it was asked about can not commit', async () => {
    const local = await pool.connect()
    await local.query('begin')
    await local.query('create table if not exists paid (id text)')
    await local.query("insert into paid values ('x')")
    expect(await outcomes.decide(pool, 'late')).toBe('rollback')
    await expect(outcomes.record(local, 'late')).rejects.toMatchObject({ code: '23505' })
    await local.query('commit')
    local.release()
    const { rows } = await pool.query("select to_regclass('paid') as paid")
    expect(rows).toEqual([{ paid: null }])
    expect(await outcomes.decide(pool, 'late')).toBe('rollback')
  })

  it('of many who ask and record at once, all are told the same', async () => {
    for (let round = 0; round < 30; round += 1) {
      const id = `round ${round}`
      const told = await Promise.all([
        outcomes.decide(pool, id),
        outcomes.record(pool, id).then(
          () => 'commit',
          () => 'rollback',
        ),
        outcomes.decide(pool, id),
        outcomes.decide(pool, id),
      ])
      expect(new Set(told).size, told.join()).toBe(1)
    }
  })
})

it.skipIf(where === '')(`an outcome table on a server${why}`, () => undefined)
