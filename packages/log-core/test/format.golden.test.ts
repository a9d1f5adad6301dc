/** The bytes of version 1, as docs/format.md describes them. They never change. */
import { type Draft, position, type Position } from '@sagalog/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checksum, checksumWord, checksumWords, NATIVE_FROM_BYTES } from '../src/checksum.js'
import { decodeStart, encodeStart } from '../src/log-start.js'
import { NeedsTable, openFolds, openLog } from '../src/index.js'
import { decodeSeal, encodeSeal } from '../src/seal-format.js'
import { decodeSegmentHeader, encodeSegmentHeader, segmentName } from '../src/segment-format.js'
import { checkpointBytes, checkpointOf, type Chunks } from './checkpoint-bytes.js'
import { ledger } from './ledger.js'
import { appendSoon, DIRECTORY, draft, readAll, runs, textOf, world } from './world.js'

const hex = (bytes: Buffer | undefined, from: number, to: number): string =>
  (bytes ?? Buffer.alloc(0)).subarray(from, to).toString('hex')

/** Writes its own position into its body, as a stored message does. */
const knowsItsPlace: Draft = {
  kind: 'event',
  bytes: 8,
  encodeAt(target, at, own: Position) {
    target.writeBigUInt64LE(BigInt(own), at)
  },
}

describe('docs/format.md, "Checksum"', () => {
  it('is CRC-32 as zlib has it, however the bytes are cut', () => {
    expect(checksum(Buffer.from('123456789'), 0, 9)).toBe(0xcbf4_3926)
    const bytes = Buffer.from(Array.from({ length: 3000 }, (_, n) => (n * 31 + (n >> 3)) & 0xff))
    const whole = checksum(bytes, 0, bytes.length)
    for (const cut of [0, 1, 7, 8, 100, NATIVE_FROM_BYTES - 1, NATIVE_FROM_BYTES, 2999]) {
      expect(checksum(bytes, cut, bytes.length, checksum(bytes, 0, cut))).toBe(whole)
    }
    const [low, high] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)]
    expect(checksumWord(0, low)).toBe(checksum(bytes, 0, 4))
    expect(checksumWords(0, low, high)).toBe(checksum(bytes, 0, 8))
  })
})

describe('docs/format.md, "Segment"', () => {
  it('header', () => {
    const header = { base: position(2 ** 33), generation: 3, segmentBytes: 4096 }
    const bytes = encodeSegmentHeader(header)
    const fields = ['5341474153454731', '01000000', '03000000', '0000000002000000', '00100000']
    const golden = [...fields, '00'.repeat(32), GOLDEN.headerChecksum].join('')
    expect(bytes.toString('hex')).toBe(golden)
    expect(decodeSegmentHeader(bytes)).toEqual({ header })
    expect(segmentName(header.base)).toBe('0000000200000000.seg')
  })
})

describe('docs/format.md, "Frame" and "Record"', () => {
  it('a log of one opening, two frames and a close', async () => {
    const { start, drive, disk } = world(1)
    const log = await drive(start().open({ segmentBytes: 1024 }))
    const first = await drive(appendSoon(log, [draft('hello'), knowsItsPlace]))
    await drive(log.waitFor(first.end, 'sync'))
    await drive(log.close())
    const bytes = disk.contents(`${DIRECTORY}/0000000000000000.seg`)
    // The first frame of the opening: empty, epoch 1.
    expect(hex(bytes, 64, 104)).toBe(GOLDEN.opening)
    expect(hex(bytes, 104, 184)).toBe(GOLDEN.frame)
    // The close: empty, and everything before it was durable.
    expect(hex(bytes, 184, 224)).toBe(GOLDEN.close)
    expect((bytes ?? Buffer.alloc(1, 1)).subarray(224).every((byte) => byte === 0)).toBe(true)
    expect(first.records.map(({ position: at }) => Number(at))).toEqual([144, 161])
  })

  it('is still read', async () => {
    const { start, drive, disk } = world(2)
    const bytes = Buffer.alloc(1024)
    const header = { base: position(0), generation: 1, segmentBytes: 1024 }
    encodeSegmentHeader(header).copy(bytes)
    Buffer.from(GOLDEN.opening + GOLDEN.frame + GOLDEN.close, 'hex').copy(bytes, 64)
    disk.putFile(`${DIRECTORY}/0000000000000000.seg`, bytes)
    const { disk: own, clock } = start()
    const log = await drive(openLog({ disk: own, clock, directory: DIRECTORY }))
    expect(log.report).toMatchObject({ end: 224, watermark: 184, ambiguousBytes: 0 })
    expect(await drive(readAll(log))).toHaveLength(2)
    const event = await drive(log.read(position(161)))
    expect(event).toMatchObject({ kind: 'event', version: 1 })
    expect(event.source.readBigUInt64LE(event.start)).toBe(161n)
    expect(textOf(await drive(log.read(position(144))))).toBe('hello')
  })
})

describe('docs/format.md, "Seal"', () => {
  it('bytes', () => {
    const header = { base: position(2 ** 33), generation: 3, segmentBytes: 4096 }
    const seal = {
      end: position(2 ** 33 + 3000),
      closedMs: 1_700_000_000_000,
      frames: 7,
      records: 9,
      contents: 0x0102_0304,
      epoch: 2,
    }
    const bytes = encodeSeal(header, seal)
    expect(bytes.toString('hex')).toBe(GOLDEN.seal)
    expect(decodeSeal(header, bytes)).toEqual(seal)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(decodeSeal(header, flipped)).toBeUndefined()
    }
    // Of another use of the file, or of another segment.
    expect(decodeSeal({ ...header, generation: 4 }, bytes)).toBeUndefined()
    expect(decodeSeal({ ...header, base: position(0) }, bytes)).toBeUndefined()
  })
})

describe('docs/format.md, "Start"', () => {
  it('bytes', () => {
    const start = { start: position(2 ** 33), segmentBytes: 4096 }
    const bytes = encodeStart(start)
    expect(bytes.toString('hex')).toBe(GOLDEN.start)
    expect(decodeStart(bytes)).toEqual(start)
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(decodeStart(flipped)).toBe('damaged')
    }
    expect(decodeStart(Buffer.concat([bytes, Buffer.alloc(1)]))).toBe('damaged')
  })
})

describe('docs/format.md, "Rewritten segment"', () => {
  const path = `${DIRECTORY}/0000000000000000.seg`

  /** The first of two segments, rewritten with two of its records. */
  async function rewritten() {
    const { start, drive, disk, pass } = world(6)
    const log = await drive(start().open({ segmentBytes: 512 }))
    for (const text of ['first', 'x'.repeat(60), 'second', 'y'.repeat(150), 'z'.repeat(150)]) {
      const { end } = await drive(appendSoon(log, [draft(text)]))
      await drive(log.waitFor(end, 'sync'))
    }
    await pass(50)
    const needs = new NeedsTable()
    needs.set('golden', { needsBody: (record) => /first|second/.test(textOf(record)) })
    const report = await drive(log.retain({ needs, freeBelow: log.watermark('sync') }))
    expect(report.rewritten).toHaveLength(1)
    await drive(log.close())
    return new Map(disk.paths().map((name) => [name, disk.contents(name) ?? Buffer.alloc(0)]))
  }

  it('bytes', async () => {
    const bytes = (await rewritten()).get(path)
    expect(hex(bytes, 0, 64)).toBe(GOLDEN.rewrittenHeader)
    expect(hex(bytes, 64, 192)).toBe(GOLDEN.rewrittenFrames)
    // The table: two runs.
    expect(hex(bytes, 192, 224)).toBe(GOLDEN.table)
    expect(bytes).toHaveLength(224 + 64)
  })

  it('is still read', async () => {
    const image = await rewritten()
    const { start, drive, disk } = world(7)
    const { rewrittenHeader, rewrittenFrames, table } = GOLDEN
    for (const [name, bytes] of image) disk.putFile(name, bytes)
    disk.putFile(path, Buffer.from(rewrittenHeader + rewrittenFrames + table, 'hex'))
    const log = await drive(start().open({ segmentBytes: 512 }))
    expect((await drive(readAll(log))).slice(0, 2)).toEqual(['first', 'second'])
    expect(log.report.states[0]).toMatchObject({ isRewritten: true })
    expect(textOf(await drive(log.read(position(144))))).toBe('first')
    expect(textOf(await drive(log.read(position(320))))).toBe('second')
  })
})

describe('docs/format.md, "Checkpoint"', () => {
  it('bytes', async () => {
    const chunks = { ab: [Buffer.from('one'), Buffer.from('2')], c: [] }
    const bytes = await checkpointBytes(position(300), chunks)
    expect(bytes.toString('hex')).toBe(GOLDEN.checkpoint)
    expect(await checkpointOf(bytes)).toEqual({ at: 300, chunks })
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      expect(await checkpointOf(flipped)).toBeUndefined()
    }
    for (let cut = 0; cut < bytes.length; cut += 1) {
      expect(await checkpointOf(bytes.subarray(0, cut))).toBeUndefined()
    }
    expect(await checkpointOf(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined()
  })

  it('of version 1 is a cache of an older time: not used', async () => {
    expect(await checkpointOf(Buffer.from(GOLDEN.checkpointOfVersion1, 'hex'))).toBeUndefined()
  })

  it('whatever its chunks are, it reads as it was written', async () => {
    const anySize = fc.oneof(fc.nat(100), fc.nat(100), fc.integer({ min: 65_000, max: 140_000 }))
    const anyChunks = fc.dictionary(
      fc.stringMatching(/^[a-z]{1,9}$/),
      fc.array(anySize, { maxLength: 6 }),
      { maxKeys: 3 },
    )
    const told = (chunks: Chunks): string[] =>
      Object.entries(chunks).map(
        ([name, list]) => `${name} ${list.map((chunk) => `${chunk.length} ${chunk[0]}`).join()}`,
      )
    await fc.assert(
      fc.asyncProperty(anyChunks, async (sizes) => {
        const chunks = Object.fromEntries(
          Object.entries(sizes).map(([name, list]) => [
            name,
            list.map((size, n) => Buffer.alloc(size + 1, n)),
          ]),
        )
        const read = await checkpointOf(await checkpointBytes(position(8), chunks))
        expect(told(read?.chunks ?? {})).toEqual(told(chunks))
      }),
      runs(50, 1000),
    )
  })

  it('is named by its position', async () => {
    const { start, drive, disk } = world(3)
    const process = start()
    const log = await drive(process.open())
    const { clock, disk: own } = process
    const options = { log, disk: own, clock, directory: DIRECTORY, folds: [ledger()] }
    const folds = await drive(openFolds(options))
    const at = await drive(folds.checkpoint())
    expect(disk.paths()).toContain(`${DIRECTORY}/${at.toString(16).padStart(16, '0')}.ckpt`)
  })
})

const GOLDEN = {
  headerChecksum: '683a327c',
  seal:
    '534147415345414c010000000300000000000000020000' +
    '00b80b0000020000000068e5cf8b010000070000000900000004030201020000000000000035d806de',
  start: '534147415354413101000000001000000000000002000000000000006e03e3c2',
  rewrittenHeader:
    '5341474153454731020000000100000000000000000000' +
    '0000020000c000000002000000c353e64e580100000000000001000000580100000000000089875d92',
  rewrittenFrames:
    '534746314000000070e077be01000000010000000100000068000000000000006800000000000000' +
    '0500000072a245111001000066697273740000000000000053474631400000006aa2a8da01000000' +
    '0100000001000000180100000000000018010000000000000600000' +
    '06e7f7732100100007365636f6e64000000000000',
  table: '6800000000000000400000004000000018010000000000004000000080000000',
  opening: '5347463128000000ffc52dcb00000000010000000100000040000000000000004000000000000000',
  frame:
    '5347463150000000937e9e0802000000010000000100000068000000000000006800000000000000' +
    '05000000a3ea24b51001000068656c6c6f0800000019a24cd211010000a100000000000000000000',
  close: '5347463128000000a20b2b17000000000100000001000000b800000000000000b800000000000000',
  checkpoint:
    '53414741434b503102000000000000002c010000000000000000000057937e0102000000' +
    '01000000a05a044461620300000002000000f5a8a74f6f6e650100000002000000b82dae9a32' +
    '0100000001000000ab910f2263000000000300000064385883',
  checkpointOfVersion1:
    '53414741434b503101000000010000002c01000000000000000000000c4fbf000200000002000000' +
    '0d0000000000000036e2d065000000006162030000006f6e6500000000',
}
