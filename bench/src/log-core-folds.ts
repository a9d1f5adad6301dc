/**
 * Saves a fold of many entries while appends go on and change it, and asks how long the event loop
 * was held at most: by the clock, and in time of the processor, which others cannot lengthen.
 */
import { bytesDraft, type Draft, type Fold } from '@sagalog/kernel'
import { nodeClock } from '@sagalog/kernel/node'
import { type Log, openFolds, openLog, SavedMap } from '@sagalog/log-core'
import { nodeDisk } from '@sagalog/log-core/node'
import { join } from 'node:path'
import { scaled, segmentBytesFor } from './log-core-scale.js'
import type { Case, Round } from './measurement.js'

const ENTRIES = 1_000_000
const FRAME_RECORDS = 1000

/** Groups and where they stand: the last fact of each counts. */
function placesFold(): Fold & { readonly size: number } {
  const places = new SavedMap<number, number, readonly [number, number]>((place, group) => [
    group,
    place,
  ])
  return {
    name: 'places',
    kinds: ['place'],
    evolve({ source, start }) {
      places.set(source.readUInt32LE(start), source.readUInt32LE(start + 4))
    },
    restate: () => [],
    needs: () => undefined,
    needsBody: () => false,
    save() {
      const slices = places.save()
      return (function* () {
        for (const slice of slices) {
          const chunk = Buffer.alloc(slice.length * 8)
          for (const [index, [group, place]] of slice.entries()) {
            chunk.writeUInt32LE(group, index * 8)
            chunk.writeUInt32LE(place, index * 8 + 4)
          }
          yield chunk
        }
      })()
    },
    load(chunk) {
      for (let at = 0; at < chunk.length; at += 8) {
        places.set(chunk.readUInt32LE(at), chunk.readUInt32LE(at + 4))
      }
    },
    get size() {
      return places.size
    },
  }
}

function placeDraft(group: number, place: number): Draft {
  const body = Buffer.alloc(8)
  body.writeUInt32LE(group)
  body.writeUInt32LE(place, 4)
  return bytesDraft('place', body)
}

/** The longest turn of the event loop until it is stopped. */
function watchTurns() {
  const longest = { wallMs: 0, cpuMs: 0 }
  let isOver = false
  let [wallMs, cpu] = [performance.now(), process.cpuUsage()]
  const look = (): void => {
    const nowMs = performance.now()
    const { user, system } = process.cpuUsage(cpu)
    longest.wallMs = Math.max(longest.wallMs, nowMs - wallMs)
    longest.cpuMs = Math.max(longest.cpuMs, (user + system) / 1000)
    wallMs = nowMs
    cpu = process.cpuUsage()
    if (!isOver) setImmediate(look)
  }
  setImmediate(look)
  return {
    longest,
    stop() {
      isOver = true
    },
  }
}

/** Changes places until told to stop, ten in each turn. */
function changePlaces(log: Log, entries: number) {
  let [changes, isOver] = [0, false]
  const change = (): void => {
    if (isOver) return
    const drafts = Array.from({ length: 10 }, (_, n) =>
      placeDraft((changes * 7919 + n) % entries, changes),
    )
    if (typeof log.append(drafts) === 'object') changes += 10
    setImmediate(change)
  }
  setImmediate(change)
  return {
    stop() {
      isOver = true
      return changes
    },
  }
}

async function measure(directory: string, durationMs: number): Promise<Round> {
  const entries = scaled(ENTRIES, durationMs)
  const [disk, clock] = [nodeDisk(), nodeClock()]
  const log = await openLog({
    disk,
    clock,
    directory: join(directory, 'log'),
    durability: 'os',
    segmentBytes: segmentBytesFor(durationMs),
  })
  const fold = placesFold()
  const folds = await openFolds({ log, disk, clock, directory, folds: [fold] })
  for (let group = 0; group < entries; group += FRAME_RECORDS) {
    const length = Math.min(FRAME_RECORDS, entries - group)
    await log.write(Array.from({ length }, (_, n) => placeDraft(group + n, 0)))
  }
  const [changes, turns] = [changePlaces(log, entries), watchTurns()]
  const startMs = performance.now()
  await folds.checkpoint()
  const elapsedMs = performance.now() - startMs
  turns.stop()
  const changed = changes.stop()
  await log.close()
  return {
    peer: 'sagalog',
    body: 8,
    concurrency: 1,
    durability: 'os',
    operations: fold.size,
    elapsedMs,
    latenciesMs: [],
    earlyReplies: 0,
    figures: {
      holdMs: turns.longest.wallMs,
      holdCpuMs: turns.longest.cpuMs,
      saveMs: elapsedMs,
      changedMeanwhile: changed,
    },
  }
}

export const foldCases: readonly Case[] = [
  {
    label: 'save a fold of 1,000,000 entries while 10 of them change in each turn',
    run: async (directory, durationMs) => [await measure(directory, durationMs)],
    aims: [{ kind: 'must', figure: 'holdMs', unit: 'ms that a turn was held', most: 20 }],
  },
]
