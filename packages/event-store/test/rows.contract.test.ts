/** The stores of projection rows pass one suite: in memory, and as streams over each backend. */
import { describe, expect, it } from 'vitest'
import { brokerEvents } from '../src/broker-events.js'
import { inMemoryEvents } from '../src/in-memory.js'
import { memoryRows } from '../src/memory-rows.js'
import { streamRows } from '../src/stream-rows.js'
import { rowStoreContract } from '../src/testing/row-store-contract.js'
import { brokerWorld } from './broker-world.js'

describe('rows', () => {
  rowStoreContract({
    test(name, body) {
      it(`in memory: ${name}`, async () => {
        await expect(body(memoryRows())).resolves.toBeUndefined()
      })
      it(`as streams in memory: ${name}`, async () => {
        await expect(body(streamRows(inMemoryEvents()))).resolves.toBeUndefined()
      })
      it(`as streams of a broker: ${name}`, async () => {
        const { connect, run } = await brokerWorld('bytes')
        await expect(run(body(streamRows(brokerEvents(connect()))))).resolves.toBeUndefined()
      })
    },
  })
})
