/** What is gathered leaves whole, in order and unchanged, however slowly the socket writes it. */
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { GatheredBytes, type WritableSocket } from '../src/node/gathered-bytes.js'

/** Keeps what it is given until it is told to write; only then are the bytes looked at. */
class SlowSocket implements WritableSocket {
  readonly written: Buffer[] = []
  private waiting: Buffer[] = []
  private isCorked = false
  writes = 0

  /** Bytes that were given and not written. */
  get writableLength(): number {
    return this.waiting.reduce((sum, { length }) => sum + length, 0)
  }
  write(bytes: Buffer): void {
    if (!this.isCorked) this.writes += 1
    this.waiting.push(bytes)
  }
  cork(): void {
    this.isCorked = true
  }
  uncork(): void {
    this.isCorked = false
    this.writes += 1
  }
  finish(): void {
    this.written.push(...this.waiting.map((bytes) => Buffer.from(bytes)))
    this.waiting = []
  }
}

const item = fc.oneof(
  { weight: 6, arbitrary: fc.nat({ max: 300 }) },
  fc.nat({ max: 6_000 }),
  fc.nat({ max: 150_000 }),
)
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ add: item }) },
  // A sender may ask for more room than it takes.
  { weight: 5, arbitrary: fc.record({ write: item, spare: fc.nat({ max: 500 }) }) },
  { weight: 2, arbitrary: fc.record({ flush: fc.constant(true), finish: fc.boolean() }) },
)

test('items added and items written in place arrive as they were sent', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const gathered = new GatheredBytes()
      const socket = new SlowSocket()
      const sent: Buffer[] = []
      let sinceFlush = 0
      for (const [n, each] of steps.entries()) {
        if ('flush' in each) {
          const before = socket.writes
          gathered.writeTo(socket)
          expect(socket.writes - before).toBe(sinceFlush > 0 ? 1 : 0)
          sinceFlush = 0
          if (each.finish) socket.finish()
        } else if ('add' in each) {
          const bytes = Buffer.alloc(each.add, n + 1)
          sent.push(bytes)
          gathered.add(bytes)
          sinceFlush += each.add
        } else {
          const { at, bytes } = gathered.room(each.write + each.spare)
          bytes.fill(n + 1, at, at + each.write)
          gathered.fill(each.write)
          sent.push(Buffer.alloc(each.write, n + 1))
          sinceFlush += each.write
        }
        expect(gathered.bytes).toBe(sinceFlush)
      }
      gathered.writeTo(socket)
      socket.finish()
      expect(Buffer.concat(socket.written).equals(Buffer.concat(sent))).toBe(true)
    }),
    { numRuns: 200 },
  )
})

test('a buffer is used again once its bytes are written, and not before', () => {
  const gathered = new GatheredBytes()
  const socket = {
    given: [] as Buffer[],
    writableLength: 0,
    write: (bytes: Buffer) => void socket.given.push(bytes),
    cork: () => undefined,
    uncork: () => undefined,
  }
  const turn = (isWritten: boolean): ArrayBufferLike | undefined => {
    gathered.room(20_000)
    gathered.fill(20_000)
    socket.writableLength = isWritten ? 0 : 20_000
    gathered.writeTo(socket)
    return socket.given.at(-1)?.buffer
  }
  const first = turn(true)
  expect(turn(true)).toBe(first)
  const held = turn(false)
  turn(false)
  const places = socket.given.slice(-2).map(({ byteOffset }) => byteOffset)
  expect(held).toBe(first)
  expect(places).toEqual([0, 20_000])
})
