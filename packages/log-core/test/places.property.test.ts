/** Positions stay what they are, wherever their bytes stand in a file. */
import { position, type Position } from '@sagalog/kernel'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { identityPlaces, type PlaceRun, type PlacesOf, tablePlaces } from '../src/index.js'
import { encodeSegmentHeader } from '../src/segment-format.js'
import { appendSoon, DIRECTORY, draft, readAll, textOf, world } from './world.js'

/** Frames begin 4 KiB further down than their position says. */
const shifted: PlacesOf = (base, segmentBytes) => {
  const identity = identityPlaces(base, segmentBytes)
  return {
    placeOf(at) {
      const place = identity.placeOf(at)
      return place === undefined ? undefined : place + 4096
    },
    nextFrom: (at) => identity.nextFrom(at),
    fileBytes: segmentBytes + 4096,
  }
}

describe('places', () => {
  it('a log whose places are shifted works and survives like any other', async () => {
    const { start, drive, disk } = world(1)
    const settings = { segmentBytes: 512, places: shifted }
    const texts = Array.from({ length: 30 }, (_, n) => `${n}`.repeat(n))
    const log = await drive(start().open(settings))
    const positions: Position[] = []
    for (const text of texts) {
      const { records, end } = await drive(appendSoon(log, [draft(text)]))
      await drive(log.waitFor(end, 'sync'))
      expect(log.isSafe(end, 'sync')).toBe(true)
      positions.push(...records.map((record) => record.position))
    }
    disk.crash()
    const again = await drive(start().open(settings))
    expect(await drive(readAll(again))).toEqual(texts)
    for (const [n, at] of positions.entries()) {
      expect(textOf(await drive(again.read(at)))).toBe(texts[n])
    }
    const first = disk.contents(`${DIRECTORY}/0000000000000000.seg`)
    expect(first?.subarray(64, 4096 + 64).every((byte) => byte === 0)).toBe(true)
    expect(first?.readUInt32LE(4096 + 64)).toBe(0x3146_4753)
  })

  it('a segment rewritten with some of its frames still answers by position', async () => {
    const made = world(2)
    const log = await made.drive(made.start().open({ segmentBytes: 1024 }))
    const frames: { from: Position; bytes: number; text: string }[] = []
    for (let n = 0; n < 20; n += 1) {
      const text = `${n}`.padEnd(40, '.')
      const { records } = await made.drive(appendSoon(log, [draft(text)]))
      const at = records[0]?.position ?? position(0)
      frames.push({ from: position(at - 40), bytes: 96, text })
    }
    await made.drive(log.close())

    // Every other frame of the first segment goes; the rest moves together.
    const path = `${DIRECTORY}/0000000000000000.seg`
    const old = made.disk.contents(path) ?? Buffer.alloc(0)
    const inFirst = frames.filter(({ from }) => from < 1024)
    const kept = inFirst.filter((_, n) => n % 2 === 1)
    expect(kept.length).toBeGreaterThan(3)
    const parts = [
      old.subarray(0, 64),
      ...kept.map(({ from, bytes }) => old.subarray(from, from + bytes)),
    ]
    made.disk.putFile(path, Buffer.concat(parts))
    const runs: PlaceRun[] = kept.map(({ from, bytes }, n) => ({ from, bytes, place: 64 + n * 96 }))
    const placesOf: PlacesOf = (base, segmentBytes) =>
      base === 0 ? tablePlaces(runs, 64 + kept.length * 96) : identityPlaces(base, segmentBytes)

    const again = await made.drive(made.start().open({ places: placesOf }))
    const expected = [...kept, ...frames.filter(({ from }) => from >= 1024)].map(({ text }) => text)
    expect(await made.drive(readAll(again))).toEqual(expected)
    for (const { from, text } of kept) {
      expect(textOf(await made.drive(again.read(position(from + 40))))).toBe(text)
    }
    const gone = position((inFirst[0]?.from ?? 0) + 40)
    await expect(made.drive(again.read(gone))).rejects.toMatchObject({ code: 'POSITION_UNKNOWN' })
  })

  it('a table answers as its runs say', () => {
    const spans = fc.array(fc.record({ gap: fc.nat(5), bytes: fc.integer({ min: 1, max: 9 }) }))
    fc.assert(
      fc.property(spans, fc.nat(200), (given, asked) => {
        const runs: PlaceRun[] = []
        const places = new Map<number, number>()
        let [at, place] = [0, 64]
        for (const { gap, bytes } of given) {
          at += gap
          runs.push({ from: position(at), bytes, place })
          for (let n = 0; n < bytes; n += 1) places.set(at + n, place + n)
          at += bytes
          place += bytes
        }
        const table = tablePlaces(runs, place)
        expect(table.placeOf(position(asked))).toBe(places.get(asked))
        const next = [...places.keys()].find((key) => key >= asked)
        expect(table.nextFrom(position(asked))).toBe(next)
      }),
    )
  })

  it('refuses a table whose runs overlap', () => {
    const runs = [0, 4].map((from) => ({ from: position(from), bytes: 8, place: 64 }))
    expect(() => tablePlaces(runs, 100)).toThrow(/overlap/)
  })

  it('keeps a header apart from the bases it does not belong to', () => {
    const wrong = { base: position(100), generation: 1, segmentBytes: 64 }
    expect(() => encodeSegmentHeader(wrong)).toThrow(/multiple/)
  })
})
