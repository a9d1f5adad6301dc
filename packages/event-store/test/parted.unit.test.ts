/**
 * A projection shared by two instances: each event counts once, and a dead one's share moves on.
 */
import { sleep } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { createEventStore } from '../src/atomically.js'
import { memoryRows } from '../src/memory-rows.js'
import { runPartedProjection } from '../src/parted-projection.js'
import { projectionRows } from '../src/projection-rows.js'
import { Accounts } from './accounts.js'
import { balances } from './balances.js'
import { brokerWorld, type Wire } from './broker-world.js'

const wires: Wire[] = ['memory', 'bytes']
const QUEUES = 4
const STREAMS = 12

describe.each(wires)('two instances over %s', (wire) => {
  it('share the parts, and one takes over those of the other', async () => {
    const { connect, run, time } = await brokerWorld(wire, { segmentBytes: 16 * 1024 })
    const clock = time.nodeClock()
    const store = createEventStore(connect())
    await run(store.ensureCategory(Accounts, { queues: QUEUES }))
    const rows = memoryRows()
    const begin = (instance: string) => {
      const connection = connect()
      const options = { connection, instance, rows, clock, waitMs: 200 }
      const mine = createEventStore(connection)
      return run(runPartedProjection(mine, balances(), options)).then((projector) => ({
        connection,
        projector,
      }))
    }
    const deposit = async () => {
      for (let index = 0; index < STREAMS; index += 1)
        await run(
          store.append(Accounts, `s${index}`, [Accounts.make.Deposited({ cents: 1 })], {
            expected: 'any',
          }),
        )
    }
    const cents = async () => {
      const found: number[] = []
      for await (const [, row] of projectionRows(rows, balances()).all()) found.push(row.cents)
      return found.toSorted((left, right) => left - right)
    }
    const settled = async (each: number) => {
      for (let tries = 0; tries < 300; tries += 1) {
        if ((await cents()).every((sum) => sum === each) && (await cents()).length === STREAMS)
          return
        await run(sleep(clock, 100))
      }
    }
    await deposit()
    const first = await begin('one')
    const second = await begin('two')
    await settled(1)
    const shares = () => [first.projector.parts.length, second.projector.parts.length]
    for (let tries = 0; tries < 300 && shares().some((held) => held !== QUEUES / 2); tries += 1)
      await run(sleep(clock, 100))
    expect(shares()).toEqual([QUEUES / 2, QUEUES / 2])
    await deposit()
    await settled(2)
    // It dies without a word; its leases end.
    first.connection.close()
    await deposit()
    await settled(3)
    expect(await cents()).toEqual(Array.from({ length: STREAMS }, () => 3))
    expect(second.projector.parts).toHaveLength(QUEUES)
    await run(second.projector.close())
    expect(second.projector.parts).toEqual([])
  })
})
