/** Cursors one by one: what they see, when they wait, how they end, and what they cost the disk. */
import { type LogRecord, position } from '@sagalog/kernel'
import { describe, expect, it } from 'vitest'
import type { LogCursor } from '../src/index.js'
import { appendSoon, countingReads, draft, textOf, world } from './world.js'

/** Reads until the cursor ends; what came so far is there at any time. */
function follow(cursor: LogCursor) {
  const seen: string[] = []
  const ended = (async () => {
    for await (const records of cursor) seen.push(...records.map(textOf))
  })()
  // Looked at where it matters.
  ended.catch(() => undefined)
  return { seen, ended }
}

describe('a cursor', () => {
  it('follows the tail, each level as far as it has come', async () => {
    const { start, drive, pass } = world(1)
    const log = await drive(start().open({ durability: 'os' }))
    const sequenced = follow(log.cursor(log.start, { level: 'memory' }))
    const written = follow(log.cursor(log.start))
    const durable = follow(log.cursor(log.start, { level: 'sync' }))
    const { end } = await drive(appendSoon(log, [draft('a'), draft('b')]))
    await pass(0.005)
    expect([sequenced.seen, written.seen, durable.seen]).toEqual([['a', 'b'], [], []])
    await drive(log.waitFor(end, 'os'))
    await pass(0)
    expect([written.seen, durable.seen]).toEqual([['a', 'b'], []])
    await drive(log.waitFor(end, 'sync'))
    await pass(0)
    expect(durable.seen).toEqual(['a', 'b'])
  })

  it('begins at a record, and at the end', async () => {
    const { start, drive, pass } = world(2)
    const log = await drive(start().open())
    const { records, end } = await drive(appendSoon(log, ['a', 'b', 'c'].map(draft)))
    await drive(log.waitFor(end, 'sync'))
    const second = follow(log.cursor(records[1]?.position ?? position(0)))
    const tail = follow(log.cursor(end))
    const kinds = follow(log.cursor(log.start, { select: (kind) => kind !== 'message' }))
    const more = await drive(appendSoon(log, [draft('d')]))
    await drive(log.waitFor(more.end, 'sync'))
    await pass(0)
    expect([second.seen, tail.seen, kinds.seen]).toEqual([['b', 'c', 'd'], ['d'], []])
  })

  it('refuses a position that the log does not hold', async () => {
    const { start, drive } = world(3)
    const log = await drive(start().open())
    const above = position(log.watermark('memory') + 8)
    for (const wrong of [position(0), above]) {
      expect(() => log.cursor(wrong)).toThrow(/POSITION_UNKNOWN/)
    }
    await drive(log.close())
    expect(() => log.cursor(log.start)).toThrow(/CLOSED/)
  })

  it('ends when it is closed, waiting or not, and is no need any more', async () => {
    const { start, drive, pass } = world(4)
    const log = await drive(start().open())
    expect(log.cursorNeeds).toBeUndefined()
    const waiting = log.cursor(log.start)
    const { ended } = follow(waiting)
    await pass(5)
    const idle = log.cursor(log.start)
    expect(log.cursorNeeds).toBe(log.start)
    expect(waiting.position).toBe(log.watermark('sync'))
    idle.close()
    expect(log.cursorNeeds).toBe(waiting.position)
    waiting.close()
    await drive(ended)
    expect(log.cursorNeeds).toBeUndefined()
    expect(await drive(idle.next())).toEqual({ done: true, value: undefined })
    await drive(appendSoon(log, [draft('a')]))
    const first = async (): Promise<string[]> => {
      for await (const records of log.cursor(log.start)) return records.map(textOf)
      return []
    }
    // Leaving the loop closes it.
    expect(await drive(first())).toEqual(['a'])
    expect(log.cursorNeeds).toBeUndefined()
  })

  it('ends with the log once all was handed over, from memory also after the close', async () => {
    const { start, drive } = world(5)
    const log = await drive(start().open())
    const waiting = follow(log.cursor(log.start))
    const late = log.cursor(log.start)
    await drive(appendSoon(log, [draft('a')]))
    await drive(log.close())
    await drive(waiting.ended)
    expect(waiting.seen).toEqual(['a'])
    const { seen, ended } = follow(late)
    await drive(ended)
    expect(seen).toEqual(['a'])
  })

  it('says CLOSED when what is left would have to be read from a closed file', async () => {
    const { start, drive } = world(6)
    const log = await drive(start().open({ cacheBytes: 0 }))
    const cursor = log.cursor(log.start)
    for (const text of ['a', 'b', 'c']) {
      const { end } = await drive(appendSoon(log, [draft(text)]))
      await drive(log.waitFor(end, 'sync'))
    }
    await drive(log.close())
    await expect(drive(cursor.next())).rejects.toMatchObject({ code: 'CLOSED' })
    expect(await drive(cursor.next())).toEqual({ done: true, value: undefined })
  })

  it('hands over what is durable when the log fails, then rejects with the failure', async () => {
    const { start, drive, disk } = world(7)
    const log = await drive(start().open())
    const waiting = follow(log.cursor(log.start))
    const late = log.cursor(log.start, { level: 'memory' })
    const { end } = await drive(appendSoon(log, [draft('safe')]))
    await drive(log.waitFor(end, 'sync'))
    disk.failNextSync()
    log.append([draft('lost')])
    await drive(log.waitFor(log.watermark('memory'), 'sync').catch(() => undefined))
    await expect(drive(waiting.ended)).rejects.toBe(log.failure)
    const { seen, ended } = follow(late)
    await expect(drive(ended)).rejects.toBe(log.failure)
    expect([waiting.seen, seen]).toEqual([['safe'], ['safe']])
    expect(log.cursorNeeds).toBeUndefined()
  })

  it('is woken by an advance between its look at the tail and its wait', async () => {
    const { start, drive } = world(8)
    const process = start()
    let onWritten: (() => void) | undefined
    const log = await drive(
      process.open({
        disk: {
          ...process.disk,
          async open(path, options) {
            const file = await process.disk.open(path, options)
            const write = async (bytes: Uint8Array, at: number): Promise<number> => {
              const taken = await file.write(bytes, at)
              onWritten?.()
              return taken
            }
            return Object.create(file, { write: { value: write } }) as typeof file
          },
        },
      }),
    )
    const cursor = log.cursor(log.watermark('sync'))
    for (let n = 0; n < 20; n += 1) {
      let asked: Promise<IteratorResult<readonly LogRecord[], undefined>> | undefined
      const ask = async (): Promise<void> => {
        for (let turn = 0; turn < n; turn += 1) await Promise.resolve()
        asked ??= cursor.next()
      }
      // Asked about when the watermark moves: before, between, after, a microtask apart.
      onWritten = () => void ask()
      await drive(log.write([draft(`${n}`)]))
      // Before the next frame, which a pause brings, would wake it.
      const { value } = await drive(asked ?? cursor.next(), 100)
      expect(value?.map(textOf)).toEqual([`${n}`])
    }
  })
})

describe('the disk is not read', () => {
  it('by cursors that keep up, nor by one slightly behind', async () => {
    const { start, drive, pass } = world(9)
    const process = start()
    const counting = countingReads(process.disk)
    const cacheBytes = 8192
    // Sealing reads closed segments, whoever follows.
    const sizes = { segmentBytes: 4096, cacheBytes, sealBytesPerSecond: 0 }
    const log = await drive(process.open({ disk: counting.disk, ...sizes, durability: 'os' }))
    const before = counting.reads
    const followers = Array.from({ length: 50 }, () => follow(log.cursor(log.start)))
    const behind = log.cursor(log.start)
    const seen: string[] = []
    const texts = Array.from({ length: 400 }, (_, n) => `record ${n}`.padEnd(100))
    for (const [n, text] of texts.entries()) {
      const { end } = await drive(appendSoon(log, [draft(text)]))
      await drive(log.waitFor(end, 'os'))
      // Half a cache behind the others.
      const lag = log.watermark('os') - behind.position
      if (n === texts.length - 1 || lag > cacheBytes / 2) {
        const { value } = await drive(behind.next())
        seen.push(...(value ?? []).map(textOf))
      }
    }
    await pass(0)
    for (const follower of followers) expect(follower.seen).toEqual(texts)
    while (seen.length < texts.length) {
      const { value } = await drive(behind.next())
      seen.push(...(value ?? []).map(textOf))
    }
    expect(seen).toEqual(texts)
    expect(counting.reads).toBe(before)
  })

  it('again once a cursor that was far behind has caught up', async () => {
    const { start, drive, pass } = world(10)
    const process = start()
    const counting = countingReads(process.disk)
    const log = await drive(
      process.open({ disk: counting.disk, cacheBytes: 4096, sealBytesPerSecond: 0 }),
    )
    const texts = Array.from({ length: 300 }, (_, n) => `record ${n}`)
    const append = async (text: string): Promise<void> => {
      const { end } = await drive(appendSoon(log, [draft(text)]))
      await drive(log.waitFor(end, 'sync'))
    }
    for (const text of texts.slice(0, 200)) await append(text)
    const before = counting.reads
    const { seen } = follow(log.cursor(log.start))
    await pass(50)
    expect(seen).toEqual(texts.slice(0, 200))
    const caughtUp = counting.reads
    expect(caughtUp).toBeGreaterThan(before)
    for (const text of texts.slice(200)) await append(text)
    await pass(0)
    expect(seen).toEqual(texts)
    expect(counting.reads).toBe(caughtUp)
  })
})
