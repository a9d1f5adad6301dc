/**
 * Files that are not as they were written: single bits flipped anywhere, and segments mutated at
 * random. Every flip is told, nothing wrong is ever handed over, and whatever the files hold, an
 * opening and a scan end with a value or an error of the table.
 */
import { type LogRecord, type Random, below } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import { describe, it } from 'vitest'
import { type DamagedRange, identityPlaces, type Log, LogError, openLog } from '../src/index.js'
import { recover } from '../src/recovery.js'
import { Campaign } from './campaign.js'
import { hastyClock, memoryDisk } from './memory-disk.js'
import { appendSoon, DIRECTORY, draft, textOf } from './world.js'

type Files = ReadonlyMap<string, Buffer>

const SEGMENT = 512
const FILE = 'packages/log-core/test/damage.property.test.ts'

function open(files: Files, onDamage: 'reject' | 'read-only' = 'reject') {
  const { disk, files: now } = memoryDisk(files)
  const sealBytesPerSecond = 0
  const options = { disk, clock: hastyClock(), directory: DIRECTORY, segmentBytes: SEGMENT }
  return { now, opening: openLog({ ...options, onDamage, sealBytesPerSecond }) }
}

interface Written {
  readonly files: Files
  readonly texts: readonly string[]
}

async function recordsOf(log: Log, skip?: (damaged: DamagedRange) => void): Promise<LogRecord[]> {
  const all: LogRecord[] = []
  const options = skip === undefined ? {} : { skip }
  for await (const records of log.scan(log.start, options)) all.push(...records)
  return all
}

/** A log of a few segments, closed, killed, or closed with its segments sealed. */
async function writeLog(random: Random): Promise<Written> {
  const { disk, files } = memoryDisk(new Map())
  const log = await openLog({
    disk,
    clock: hastyClock(),
    directory: DIRECTORY,
    segmentBytes: SEGMENT,
    sealBytesPerSecond: below(random, 3) === 0 ? 0 : 64 << 20,
  })
  const texts: string[] = []
  for (let n = 0; n < 8 + below(random, 16); n += 1) {
    const count = 1 + below(random, 3)
    const some = Array.from({ length: count }, (_, i) =>
      `${n}.${i}:`.padEnd(8 + below(random, 90), 'x'),
    )
    const { end } = await appendSoon(log, some.map(draft))
    if (below(random, 3) > 0) await log.waitFor(end, 'sync')
    texts.push(...some)
  }
  await log.waitFor(log.watermark('memory'), 'sync')
  // Lets the next segment be prepared, and closed ones be sealed.
  for (let n = 0; n < 3; n += 1) await new Promise((resolve) => setImmediate(resolve))
  if (below(random, 2) === 0) await log.close()
  return { files: files(), texts }
}

interface Pair {
  readonly written: Written
  /** Another log, to take bytes from. */
  readonly other: Written
  /** All that one of them may serve. */
  readonly known: ReadonlySet<string>
}

/** The logs that runs damage; run n takes log n / 100, so that many runs share the writing. */
function logs() {
  let at = -1
  let pair: Promise<Pair> | undefined
  const write = async (n: number): Promise<Pair> => {
    const written = await writeLog(seededRandom(n).fork('log'))
    const other = await writeLog(seededRandom(n).fork('other'))
    return { written, other, known: new Set([...written.texts, ...other.texts]) }
  }
  return (seed: number): Promise<Pair> => {
    const wanted = Math.floor(seed / 100)
    if (pair === undefined || wanted !== at) pair = write(wanted)
    at = wanted
    return pair
  }
}

function demand(isRight: boolean, what: string): void {
  if (!isRight) throw new Error(what)
}

/** True behind a segment without a seal: one is written over whatever stands there. */
function isRoomForSeal({ files }: Written, path: string, at: number): boolean {
  const room = files.get(path)?.subarray(SEGMENT) ?? Buffer.alloc(0)
  return at >= SEGMENT && room.every((byte) => byte === 0)
}

const isSegment = (path: string): boolean => path.endsWith('.seg')

/** Demands that what is served is a part of what was written, in its order. */
function demandRight(served: readonly string[], texts: readonly string[], what: string): void {
  let at = 0
  for (const text of served) {
    at = texts.indexOf(text, at) + 1
    demand(at > 0, `${what}: served what was not written there: ${text}`)
  }
}

/** How a flip shows. */
async function flip(written: Written, path: string, bit: number): Promise<string> {
  const { texts } = written
  const files = new Map(written.files)
  const bytes = Buffer.from(files.get(path) ?? [])
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  files.set(path, bytes)
  const what = `${path} bit ${bit}`
  try {
    const log = await open(files).opening
    const { ambiguousBytes, removed } = log.report
    const served = (await recordsOf(log)).map(textOf)
    const scrubbed = await log.scrub().done
    await log.close()
    demand(served.join() === texts.slice(0, served.length).join(), `${what}: served wrong bytes`)
    if (served.length < texts.length) {
      demand(ambiguousBytes > 0, `${what}: cut, and not told`)
      return 'flips in an ambiguous tail, cut'
    }
    if (scrubbed.damaged.length > 0 || scrubbed.resealed > 0) return 'flips told by the scrub'
    if (ambiguousBytes > 0) return 'flips behind the end, zeroed'
    if (removed.length > 0) return 'flips in a file without frames, removed'
    const state = log.report.states.find(({ file }) => file === path)?.state
    const isInSeal = bit >> 3 >= SEGMENT && !isRoomForSeal(written, path, bit >> 3)
    if (isInSeal && state === 'unsealed') return 'flips in a seal, which is written anew'
    if (isRoomForSeal(written, path, bit >> 3)) return 'flips where a seal will stand'
    throw new Error(`${what}: not told`)
  } catch (error) {
    if (!LogError.is(error)) throw error
    demand(error.code === 'CORRUPT', `${what}: ${error.message}`)
  }
  // What is readable stays readable.
  const ranges: DamagedRange[] = []
  const log = await open(files, 'read-only').opening
  const served = (await recordsOf(log, (range) => ranges.push(range))).map(textOf)
  demandRight(served, texts, what)
  const isTold = ranges.length + log.health.damaged.length > 0
  demand(isTold || served.length === texts.length, `${what}: left out, and not told`)
  await log.close()
  return 'flips told at the opening or by a read'
}

/** Bytes that stand for much in a format. */
const TELLING = [0, 1, 0x7f, 0x80, 0xff, 0x53, 0x47, 0x46] as const

/** Changes one file in one way; `others` are files to take bytes from. */
function mutate(random: Random, files: Map<string, Buffer>, others: Files): void {
  const paths = [...files.keys()]
  const path = paths[below(random, paths.length)] ?? ''
  const bytes = Buffer.from(files.get(path) ?? [])
  const at = below(random, Math.max(1, bytes.length))
  const length = 1 + below(random, 64)
  const end = Math.min(bytes.length, at + length)
  switch (below(random, 9)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8))
      break
    case 1:
      bytes.fill(TELLING[below(random, TELLING.length)] ?? 0, at, end)
      break
    case 2:
      if (at + 4 <= bytes.length) bytes.writeUInt32LE(random.uint32(), at)
      break
    case 3:
      bytes.copy(bytes, below(random, Math.max(1, bytes.length)) & ~7, at, end)
      break
    case 4: {
      const other = [...others.values()][below(random, others.size)]
      other?.copy(bytes, at & ~7, at & ~7, (at & ~7) + length)
      break
    }
    case 5:
      files.set(path, bytes.subarray(0, at))
      return
    case 6:
      if (below(random, 4) === 0) files.delete(path)
      else bytes.fill(0, at)
      break
    case 7: {
      // Another file's bytes under this name.
      const other = files.get(paths[below(random, paths.length)] ?? '')
      if (other !== undefined && below(random, 4) === 0) files.set(path, Buffer.from(other))
      return
    }
    default:
      for (let n = at; n < end; n += 1) bytes[n] = random.uint32() & 0xff
  }
  if (files.has(path)) files.set(path, bytes)
}

const codeOf = (error: unknown): string => {
  if (!LogError.is(error)) throw error
  return error.code
}

/** Opens and reads whatever is there; gives what ended it. */
async function readMutated(
  files: Files,
  known: ReadonlySet<string>,
  onDamage: 'reject' | 'read-only',
): Promise<string> {
  try {
    const log = await open(files, onDamage).opening
    const skip = onDamage === 'read-only' ? (): void => undefined : undefined
    for (const record of await recordsOf(log, skip)) {
      demand(known.has(textOf(record)), `served what nobody wrote: ${textOf(record)}`)
    }
    await log.close()
    return 'opened and read'
  } catch (error) {
    return `read: ${codeOf(error)}`
  }
}

/** Recovers alone: most of the ways into trouble at a part of the price. */
async function recoverMutated(files: Files): Promise<string> {
  const { disk } = memoryDisk(files)
  const plan = { disk, directory: DIRECTORY, placesOf: identityPlaces }
  try {
    await recover({ plan, clock: hastyClock(), sync: 'each-write' })
    return 'recovered'
  } catch (error) {
    return `recovery: ${codeOf(error)}`
  }
}

describe('files that are not as they were written', () => {
  const flips = new Campaign({
    file: FILE,
    of: 'flipped bits',
    quick: 600,
    full: 10_000,
    fullS: 45,
    mustReach: [
      'flips told at the opening or by a read',
      'flips told by the scrub',
      'flips in an ambiguous tail, cut',
      'flips behind the end, zeroed',
      'flips where a seal will stand',
      'flips in a seal, which is written anew',
    ],
  })

  it(
    'every flipped bit is told, and none is served',
    async () => {
      const logFor = logs()
      for (const seed of flips.seeds()) {
        const random = seededRandom(seed)
        const { written } = await logFor(seed)
        const paths = [...written.files.keys()].filter(isSegment)
        const path = paths[below(random, paths.length)] ?? ''
        const bits = (written.files.get(path)?.length ?? 0) * 8
        try {
          flips.count(await flip(written, path, below(random, bits)))
        } catch (error) {
          flips.broken(seed, error)
        }
      }
      flips.end()
    },
    flips.timeoutMs,
  )

  const mutations = new Campaign({
    file: FILE,
    of: 'mutated logs',
    quick: 2_500,
    full: 1_000_000,
    fullS: 75,
    mustReach: ['recovered', 'recovery: CORRUPT', 'opened and read', 'read: CORRUPT'],
  })

  it(
    'mutated files end in a value or an error of the table, and serve nothing that nobody wrote',
    async () => {
      const logFor = logs()
      for (const seed of mutations.seeds()) {
        const random = seededRandom(seed)
        const { written, other, known } = await logFor(seed)
        const files = new Map(written.files)
        for (let n = below(random, 4); n >= 0; n -= 1) mutate(random, files, other.files)
        const onDamage = below(random, 2) === 0 ? 'reject' : 'read-only'
        try {
          const isRead = seed % 8 === 0
          mutations.count(
            await (isRead ? readMutated(files, known, onDamage) : recoverMutated(files)),
          )
        } catch (error) {
          mutations.broken(seed, error)
        }
      }
      mutations.end()
    },
    mutations.timeoutMs,
  )
})
