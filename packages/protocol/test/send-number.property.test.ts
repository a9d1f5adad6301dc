/** What the producer writes into a unique id is what the broker reads out of it. */
import { seededRandom, simulatedTime } from '@sagalog/kernel/testing'
import { position, queueOffset } from '@sagalog/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeStoredMessage, MessageSysFlag, type NumberedSend } from '../src/index.js'
import { SEND_SPAN_MAX, sendNumberIn, sendNumberOf, SendNumbers } from '../src/index.js'
import { storedMessageBytes, storedSendNumber } from '../src/index.js'

const numbersOf = (seed: number): SendNumbers => {
  const random = seededRandom(seed)
  return new SendNumbers(simulatedTime(random.fork('time')).nodeClock(), random)
}

test('numbers go up, and the floor is the lowest that has not ended', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.array(fc.integer({ min: -1, max: 40 }), { maxLength: 300 }),
      (seed, steps) => {
        const numbers = numbersOf(seed)
        const open: NumberedSend[] = []
        let next = 0
        for (const step of steps) {
          const ended = step < 0 ? undefined : open.splice(step % Math.max(1, open.length), 1)[0]
          if (ended !== undefined) numbers.end(ended)
          const send = numbers.next()
          open.push(send)
          const floor = Math.min(...open.map(({ number }) => number))
          const read = sendNumberOf(send.uniqueId)
          expect(read).toMatchObject({ number: next, floor })
          expect(send.uniqueId).toMatch(/^[0-9A-F]{32}$/)
          next += 1
        }
      },
    ),
    { numRuns: 50 },
  )
})

test('a producer goes on as another when a send is under way for too long', () => {
  const numbers = numbersOf(1)
  const first = numbers.next()
  for (let n = 1; n <= SEND_SPAN_MAX; n += 1) numbers.end(numbers.next())
  const other = numbers.next()
  expect(sendNumberOf(other.uniqueId)).toMatchObject({ number: 0, floor: 0 })
  expect(other.producer).not.toBe(first.producer)
  expect(numbers.isCurrent(first)).toBe(false)
  numbers.end(first)
  // A row of numbers that does not fit any more begins as another at once.
  for (let n = 1; n < SEND_SPAN_MAX - 2; n += 1) numbers.next()
  expect(numbers.next(8).producer).not.toBe(other.producer)
})

test('it is found in the property text and in the stored message, wherever it stands', () => {
  const { uniqueId } = numbersOf(2).next()
  const wanted = sendNumberOf(uniqueId)
  for (const properties of [
    `UNIQ_KEY\u0001${uniqueId}\u0002`,
    `A\u0001b\u0002UNIQ_KEY\u0001${uniqueId}\u0002`,
    `UNIQ_KEY\u0001${uniqueId}\u0002TRAN_MSG\u0001true\u0002`,
    `UNIQ_KEY\u0001${uniqueId}`,
  ]) {
    expect(sendNumberIn(properties)).toEqual(wanted)
    for (const sysFlag of [0, MessageSysFlag.SEQUENCED]) {
      const host = Buffer.from([127, 0, 0, 1, 0, 0, 0, 1])
      const message = {
        topic: 't',
        queueId: 0,
        queueOffset: queueOffset(0),
        flag: 0,
        sysFlag,
        bornTimestampMs: 1,
        bornHost: host,
        storeTimestampMs: 1,
        storeHost: host,
        reconsumeTimes: 0,
        preparedTransactionOffset: 0,
        body: Buffer.from('b'),
        properties,
      }
      const bytes = Buffer.alloc(storedMessageBytes(message))
      encodeStoredMessage(message, bytes, 0, position(0))
      const found = storedSendNumber(bytes, 0, bytes.length)
      expect(found).toEqual(sysFlag === 0 ? undefined : wanted)
    }
  }
  for (const wrong of ['', uniqueId.slice(1), uniqueId.toLowerCase().replace(/\d/g, 'a')])
    expect(sendNumberOf(wrong)).toBeUndefined()
})
