/** What nobody needs goes, what somebody needs stays, and who reads is not disturbed. */
import { bytesDraft, type LogRecord, position, type Position } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import { type Log, type Need, NeedsTable } from '../src/index.js'
import { decodeSegmentHeader } from '../src/segment-format.js'
import { appendSoon, DIRECTORY, draft, isFullRun, readAll, textOf, world } from './world.js'

const SEGMENT = 1024
const LAST = position(Number.MAX_SAFE_INTEGER)

const pathOf = (base: number): string => `${DIRECTORY}/${base.toString(16).padStart(16, '0')}.seg`

/** 60 messages, each in a frame with a fact; about 8 in a segment. */
async function filled(seed: number) {
  const made = world(seed)
  const process = made.start()
  const log = await made.drive(process.open({ segmentBytes: SEGMENT, cacheBytes: 512 }))
  const places = new Map<string, Position>()
  for (let n = 0; n < 60; n += 1) {
    const text = `message ${n}`.padEnd(20 + (n % 5), '.')
    const { records, end } = await made.drive(
      appendSoon(log, [draft(text), bytesDraft('place', Buffer.from('fact'.repeat(4)))]),
    )
    places.set(text, records[0]?.position ?? position(0))
    await made.drive(log.waitFor(end, 'sync'))
  }
  await made.pass(50)
  expect(log.health).toEqual({ state: 'ok', damaged: [], unsealed: 0 })
  return { ...made, process, log, places, texts: [...places.keys()] }
}

const table = (need: Need): NeedsTable => {
  const needs = new NeedsTable()
  needs.set('test', need)
  return needs
}

const onlyThese = (texts: readonly string[]): NeedsTable =>
  table({ needsBody: (record) => texts.includes(textOf(record)) })

async function messagesIn(log: Log): Promise<string[]> {
  return (await readAll(log)).filter((text) => text.startsWith('message'))
}

const segmentsIn = (paths: readonly string[]): readonly string[] =>
  paths.filter((path) => path.endsWith('.seg'))

describe('retiring', () => {
  it('moves the start, keeps one file for its next use, and removes the others', async () => {
    const { log, drive, disk, places, texts, start } = await filled(1)
    const before = segmentsIn(disk.paths())
    const report = await drive(
      log.retain({
        needs: table({ everythingFrom: () => position(SEGMENT * 4 + 100) }),
        freeBelow: LAST,
      }),
    )
    expect(report).toEqual({
      start: SEGMENT * 4,
      retired: before.slice(0, 4),
      rewritten: [],
      overruled: [],
      isDiskFull: false,
    })
    expect(log.start).toBe(SEGMENT * 4 + 64)
    expect(disk.paths().filter((path) => path.endsWith('.free'))).toEqual([
      pathOf(0).replace('.seg', '.free'),
    ])
    expect(segmentsIn(disk.paths())).toEqual(before.slice(4))
    const left = texts.filter((text) => (places.get(text) ?? 0) > SEGMENT * 4)
    expect(await drive(messagesIn(log))).toEqual(left)
    await expect(drive(log.read(places.get(texts[0] ?? '') ?? position(0)))).rejects.toMatchObject({
      code: 'POSITION_UNKNOWN',
      detail: { start: SEGMENT * 4 + 64 },
    })
    await drive(log.close())
    const again = await drive(start().open({ segmentBytes: SEGMENT }))
    expect(again.start).toBe(SEGMENT * 4 + 64)
    expect(again.report.recycled).toHaveLength(1)
    expect(await drive(messagesIn(again))).toEqual(left)
  })

  it('uses a retired file again, with a new generation and nothing of its old frames', async () => {
    const { log, drive, disk, pass, texts } = await filled(2)
    await drive(log.retain({ needs: new NeedsTable(), freeBelow: LAST }))
    const generations: number[] = []
    for (let n = 0; n < 40; n += 1) {
      const { end } = await drive(appendSoon(log, [draft(`later ${n}`.padEnd(60, '.'))]))
      await drive(log.waitFor(end, 'sync'))
      if (n % 10 === 9) await drive(log.retain({ needs: new NeedsTable(), freeBelow: LAST }))
    }
    await pass(20)
    for (const path of segmentsIn(disk.paths())) {
      const bytes = disk.contents(path) ?? Buffer.alloc(0)
      const verdict = decodeSegmentHeader(bytes)
      if (!('header' in verdict)) throw new Error('the header verifies')
      generations.push(verdict.header.generation)
      // Behind the end of the log, in this file or one before, nothing was ever written.
      const used = Math.max(64, log.watermark('memory') - verdict.header.base)
      expect(bytes.subarray(used, SEGMENT).every((byte) => byte === 0)).toBe(true)
      for (const text of texts) expect(bytes.includes(text), `${path} ${text}`).toBe(false)
    }
    expect(Math.max(...generations)).toBeGreaterThan(2)
    expect(log.stats.recycled).toBeGreaterThan(2)
    const all = await drive(readAll(log))
    expect(all.at(-1)).toBe('later 39'.padEnd(60, '.'))
  })

  it('waits for those who read the file, and they read on', async () => {
    const { log, drive, disk, pass, texts } = await filled(3)
    const scan = log.scan(log.start, { to: position(SEGMENT) })
    const first = await drive(scan.next())
    let isDone = false
    const retaining = log.retain({ needs: new NeedsTable(), freeBelow: LAST }).then((report) => {
      isDone = true
      return report
    })
    await pass(100)
    expect(isDone).toBe(false)
    expect(disk.paths()).toContain(pathOf(0))
    const seen = (first.value ?? []).map(textOf)
    for (let next = await drive(scan.next()); !next.done; next = await drive(scan.next())) {
      seen.push(...next.value.map(textOf))
    }
    expect(seen.filter((text) => text.startsWith('message'))).toEqual(
      texts.slice(0, seen.length / 2),
    )
    expect((await drive(retaining)).retired).toContain(pathOf(0))
    expect(disk.paths()).not.toContain(pathOf(0))
  })

  it('keeps what an open cursor has still to read', async () => {
    const { log, drive, texts } = await filled(4)
    const cursor = log.cursor(log.start)
    const seen: string[] = []
    for (let n = 0; n < 3; n += 1) {
      await drive(log.retain({ needs: new NeedsTable(), freeBelow: LAST }))
      expect(log.start).toBeLessThanOrEqual(cursor.position)
      seen.push(...((await drive(cursor.next())).value ?? []).map(textOf))
    }
    expect(seen.filter((text) => text.startsWith('message'))).toEqual(
      texts.slice(0, seen.length / 2),
    )
    cursor.close()
    await drive(log.retain({ needs: new NeedsTable(), freeBelow: LAST }))
    expect(log.start).toBeGreaterThan(cursor.position)
  })

  it('goes no further than the restatement, and than the policy', async () => {
    const { log, drive } = await filled(5)
    const needs = new NeedsTable()
    const retain = async (freeBelow: number, policy = {}) =>
      (await drive(log.retain({ needs, freeBelow: position(freeBelow), policy }))).start
    expect(await retain(0)).toBe(0)
    expect(await retain(SEGMENT * 2 - 1)).toBe(SEGMENT)
    expect(await retain(LAST, { keepBytes: 1 << 20 })).toBe(SEGMENT)
    expect(await retain(LAST, { keepMs: 1e9 })).toBe(SEGMENT)
    expect(await retain(LAST, { keepMs: 0 })).toBeGreaterThan(SEGMENT * 4)
  })

  it('over the cap goes on over those who agreed, and names them', async () => {
    const { log, drive, disk } = await filled(6)
    const needs = table({ everythingFrom: () => position(0), mayBeOverruled: true })
    const policy = { capBytes: SEGMENT * 4 }
    const report = await drive(log.retain({ needs, freeBelow: LAST, policy }))
    expect(report.overruled).toEqual(['test'])
    expect(segmentsIn(disk.paths()).length).toBeLessThanOrEqual(5)
  })

  it('ends with the log, also while somebody reads', async () => {
    const { log, drive, disk, start, texts } = await filled(7)
    const scan = log.scan(log.start)
    await drive(scan.next())
    const retaining = log.retain({ needs: new NeedsTable(), freeBelow: LAST })
    await drive(log.close())
    expect((await drive(retaining)).start).toBeGreaterThan(0)
    await expect(log.retain({ needs: new NeedsTable(), freeBelow: LAST })).rejects.toMatchObject({
      code: 'CLOSED',
    })
    expect(disk.inFlight).toBe(0)
    // The start was durable, so the next opening removes what was left.
    const again = await drive(start().open({ segmentBytes: SEGMENT }))
    expect(again.report.removed.length).toBeGreaterThan(0)
    expect(segmentsIn(disk.paths())).toHaveLength(again.report.segments)
    expect(await drive(messagesIn(again))).not.toEqual(texts)
  })
})

describe('rewriting', () => {
  it('leaves what must stay at its position, and little else', async () => {
    const { log, drive, disk, places, texts, start } = await filled(11)
    const kept = texts.filter((_, n) => n % 10 === 3)
    const report = await drive(log.retain({ needs: onlyThese(kept), freeBelow: LAST }))
    expect(report.rewritten.length).toBeGreaterThan(4)
    for (const { bytesBefore, bytesAfter } of report.rewritten) {
      expect(bytesAfter).toBeLessThan(bytesBefore / 2)
    }
    for (const one of [log, undefined]) {
      const opened = one ?? (await drive(start().open({ segmentBytes: SEGMENT })))
      const found = await drive(messagesIn(opened))
      expect(found).toEqual(expect.arrayContaining(kept))
      for (const text of texts) {
        const at = places.get(text) ?? position(0)
        const read = drive(opened.read(at))
        if (found.includes(text)) expect(textOf(await read)).toBe(text)
        else await expect(read).rejects.toMatchObject({ code: 'POSITION_UNKNOWN' })
      }
      // Facts below the current segment are gone, but for those that no hole is large enough for.
      const facts = (await drive(readAll(opened))).filter((text) => text.startsWith('fact'))
      expect(facts.length).toBeLessThan(30)
      expect(await drive(opened.scrub().done)).toMatchObject({ damaged: [], resealed: 0 })
      await drive(opened.close())
    }
    expect(disk.paths().some((path) => path.endsWith('.tmp'))).toBe(false)
  })

  it('reads ranges, cursors and parts of a rewritten log', async () => {
    const { log, drive, places, texts } = await filled(12)
    const kept = texts.filter((_, n) => n % 7 === 2)
    await drive(log.retain({ needs: onlyThese(kept), freeBelow: LAST }))
    const all = await drive(messagesIn(log))
    for (const text of kept) {
      const from = places.get(text) ?? position(0)
      const later = (await drive(readAll(log, from))).filter((one) => one.startsWith('message'))
      expect(later).toEqual(all.slice(all.indexOf(text)))
    }
    const cursor = log.cursor(log.start)
    const seen: string[] = []
    while (seen.length < all.length) {
      const { value } = await drive(cursor.next())
      seen.push(...(value ?? []).map(textOf).filter((text) => text.startsWith('message')))
    }
    expect(seen).toEqual(all)
    let bytes = 0
    for (let next = log.start; next < log.watermark('sync');) {
      const range = await drive(log.readFrames(next))
      bytes += range.bytes.length
      next = range.next
    }
    expect(bytes).toBeGreaterThan(kept.length * 60)
  })

  it('rewrites again when less must stay, and retires what holds nothing any more', async () => {
    const { log, drive, texts } = await filled(13)
    const some = texts.filter((_, n) => n % 6 === 5)
    const first = await drive(log.retain({ needs: onlyThese(some), freeBelow: LAST }))
    expect(first.rewritten.length).toBeGreaterThan(4)
    const few = some.filter((_, n) => n === 6)
    const second = await drive(
      log.retain({ needs: onlyThese(few), freeBelow: LAST, policy: { rewriteBelow: 0.9 } }),
    )
    expect(second.retired.length).toBeGreaterThan(2)
    expect(await drive(messagesIn(log))).toEqual(expect.arrayContaining(few))
    const none = await drive(log.retain({ needs: new NeedsTable(), freeBelow: LAST }))
    expect(none.retired.length).toBeGreaterThan(0)
    expect(none.rewritten).toEqual([])
  })

  it('groups what is read together', async () => {
    const { log, drive, disk, texts } = await filled(14)
    const groupBy = (record: LogRecord): number => Number(textOf(record).slice(8, 10)) % 2
    const kept = texts.filter((_, n) => n % 3 === 0)
    const needs = onlyThese(kept)
    const policy = { rewriteBelow: 0.9 }
    const { rewritten } = await drive(log.retain({ needs, freeBelow: LAST, policy, groupBy }))
    expect(rewritten.length).toBeGreaterThan(4)
    expect((await drive(messagesIn(log))).slice(0, kept.length / 2)).toEqual(
      kept.slice(0, kept.length / 2),
    )
    for (const { file } of rewritten) {
      const bytes = disk.contents(file)?.toString('latin1') ?? ''
      const stored = [...bytes.matchAll(/message (\d+)/g)].map(([, n]) => Number(n) % 2)
      // One group, then the other.
      expect(stored.filter((one, n) => n > 0 && one !== stored[n - 1]).length).toBeLessThan(2)
    }
  })

  it('lets a reader in the old file end in peace', async () => {
    const { log, drive, texts } = await filled(15)
    const scan = log.scan(log.start, { to: position(SEGMENT) })
    const first = await drive(scan.next())
    const kept = texts.slice(0, 1)
    const { rewritten } = await drive(log.retain({ needs: onlyThese(kept), freeBelow: LAST }))
    expect(rewritten[0]?.file).toBe(pathOf(0))
    const seen = (first.value ?? []).map(textOf)
    for (let next = await drive(scan.next()); !next.done; next = await drive(scan.next())) {
      seen.push(...next.value.map(textOf))
    }
    expect(seen.length).toBeGreaterThan(8)
    expect((await drive(messagesIn(log))).slice(0, 1)).toEqual(kept)
  })

  it('on a full disk leaves everything as it was, and goes on later', async () => {
    const { log, drive, disk, texts } = await filled(16)
    const used = disk.paths().reduce((sum, path) => sum + (disk.contents(path)?.length ?? 0), 0)
    disk.setCapacity(used + 100)
    const needs = onlyThese(texts.filter((_, n) => n % 10 === 3))
    const report = await drive(log.retain({ needs, freeBelow: LAST }))
    expect(report).toMatchObject({ isDiskFull: true, rewritten: [] })
    expect(log.health.state).toBe('ok')
    expect(await drive(messagesIn(log))).toEqual(texts)
    disk.setCapacity(undefined)
    const later = await drive(log.retain({ needs, freeBelow: LAST }))
    expect(later.isDiskFull).toBe(false)
    expect(later.rewritten.length).toBeGreaterThan(4)
  })

  it('does not touch a damaged segment', async () => {
    const { log, drive, disk, places, texts } = await filled(17)
    const kept = texts.filter((_, n) => n % 10 === 3)
    const at = places.get(texts[10] ?? '') ?? position(0)
    const path = pathOf(Math.floor(at / SEGMENT) * SEGMENT)
    disk.flipBit(path, ((at % SEGMENT) + 14) * 8)
    const before = disk.contents(path)
    const { rewritten } = await drive(log.retain({ needs: onlyThese(kept), freeBelow: LAST }))
    expect(rewritten.map(({ file }) => file)).not.toContain(path)
    expect(rewritten.length).toBeGreaterThan(2)
    expect(disk.contents(path)).toEqual(before)
    expect(log.health.state).toBe('damaged')
  })

  it('every flipped bit of a rewritten segment is found', async () => {
    const { log, drive, disk, texts } = await filled(18)
    const kept = texts.filter((_, n) => n % 4 === 3)
    const policy = { rewriteBelow: 0.9 }
    const needs = onlyThese(kept)
    const { rewritten } = await drive(log.retain({ needs, freeBelow: LAST, policy }))
    const file = rewritten[0]?.file ?? ''
    const bits = (disk.contents(file)?.length ?? 0) * 8
    const stride = isFullRun ? 1 : 13
    let found = 0
    for (let bit = 0; bit < bits; bit += stride) {
      disk.flipBit(file, bit)
      const { damaged, resealed } = await drive(log.scrub({ bytesPerSecond: 1 << 30 }).done)
      expect(damaged.length + resealed, `${bit}`).toBe(1)
      if (damaged.length > 0) {
        expect(damaged[0]?.file).toBe(file)
        disk.flipBit(file, bit)
        found += 1
      }
    }
    expect(found).toBeGreaterThan(1000 / stride)
  }, 120_000)
})
