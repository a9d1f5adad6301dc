/** The backend in memory passes the suite of the port. */
import { describe, expect, it } from 'vitest'
import { inMemoryEvents } from '../src/in-memory.js'
import { eventStoreContract } from '../src/testing/event-store-contract.js'

describe('in-memory events', () => {
  eventStoreContract({
    test(name, body) {
      it(`in memory: ${name}`, async () => {
        await expect(body(inMemoryEvents())).resolves.toBeUndefined()
      })
    },
  })
})
