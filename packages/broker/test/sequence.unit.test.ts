/** What waits for room in the log is bounded by number and by bytes, and goes on in its order. */
import { type Draft, noHops, position } from '@sagalog/kernel'
import type { Log } from '@sagalog/log-core'
import { expect, test } from 'vitest'
import { WAITING_BYTES_MAX, WAITING_MAX } from '../src/limits.js'
import { Sequencer } from '../src/sequence.js'

const draft: Draft = { kind: 'message', bytes: 1, encodeAt: () => undefined }

/** A log without room until it is told to have some. */
function fullLog() {
  const log = { hasRoom: false, tell: (): void => undefined }
  const parts = {
    append: () => (log.hasRoom ? { end: position(1), records: [] } : 'wait'),
    onRoom: (listener: () => void) => {
      log.tell = listener
    },
    watermark: () => position(0),
  }
  return { log, parts: parts as unknown as Log }
}

function waiting(bytes: number) {
  const { log, parts } = fullLog()
  const sequencer = new Sequencer({ log: parts, hops: noHops, level: 'sync' })
  const applied: number[] = []
  const refused: string[] = []
  let next = 0
  const submit = (): void => {
    const mine = next
    next += 1
    sequencer.submit({
      bytes,
      decide: () => ({ drafts: [draft], applied: () => applied.push(mine) }),
      refuse: (reason) => refused.push(reason),
    })
  }
  const makeRoom = (): void => {
    log.hasRoom = true
    log.tell()
  }
  return { applied, makeRoom, refused, submit }
}

test('so many requests wait, and one more is refused as busy', () => {
  const { refused, submit } = waiting(0)
  for (let n = 0; n < WAITING_MAX; n += 1) submit()
  expect(refused).toEqual([])
  submit()
  expect(refused).toEqual(['busy'])
})

test('the bytes that they hold are bounded; they go on in their order and count no more', () => {
  const { applied, makeRoom, refused, submit } = waiting(WAITING_BYTES_MAX / 4)
  for (let n = 0; n < 4; n += 1) submit()
  expect(refused).toEqual([])
  submit()
  expect(refused).toEqual(['busy'])
  makeRoom()
  expect(applied).toEqual([0, 1, 2, 3])
  submit()
  expect(applied).toHaveLength(5)
})
