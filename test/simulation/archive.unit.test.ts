import type { Broker } from '@sagalog/broker'
import { type LogRecord, position } from '@sagalog/kernel'
import { expect, test } from 'vitest'
import { Archive } from './archive.js'

const FRAME_OF_A_START = 40

function recordAt(at: number, bytes: number): LogRecord {
  const source = Buffer.alloc(bytes)
  return { kind: 'message', version: 1, position: position(at), source, start: 0, end: bytes }
}

/** A broker whose log ended there when it was opened; gives what appends. */
function opened(archive: Archive, end: number): (records: readonly LogRecord[]) => void {
  let append: (records: readonly LogRecord[]) => void = () => undefined
  const log = {
    report: { end },
    onAppend(listener: typeof append) {
      append = listener
    },
  }
  archive.follow({ core: { log } } as unknown as Broker)
  return append
}

test('forgets a frame that a crash took back, also after starts that served nobody', () => {
  const archive = new Archive()
  const append = opened(archive, 1_000)
  append([recordAt(1_080, 300)])
  append([recordAt(1_432, 100), recordAt(1_544, 200)])
  const cutAt = 1_384
  const startsThatServedNobody = 3
  opened(archive, cutAt + startsThatServedNobody * FRAME_OF_A_START)
  const gone = archive.goneBelow(position(10_000), new Set())
  expect(gone.map((record) => record.position)).toEqual([1_080])
})
