/**
 * Frames of real clients, damaged in every way, through decoder and dispatcher: nothing is thrown,
 * nothing takes long, nothing is kept, and the broker serves on. `SEED=n` runs one world again.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { below, type Channel, emptyCommit, type Random } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import * as protocol from '@sagalog/protocol'
import { commandChannel, encodeFrame, type Frame, FrameDecoder } from '@sagalog/protocol'
import { byteChannelPair } from '@sagalog/protocol/testing'
import { expect, test } from 'vitest'
import { messageOf, openWorld, within, type World } from './world.js'

const isFull = process.env['SAGALOG_FULL'] === '1'
const WANTED = isFull ? 1_000_000 : 30_000
const LEAST = isFull ? 100_000 : 3_000
/** Processor time: on a machine that others use the clock would count their work. */
const BOX_MS = isFull ? 90_000 : 4_000
/** Nobody waits longer than this, however little of the processor was to be had. */
const PATIENCE_MS = 2 * BOX_MS
const PER_WORLD = 10_000
const HANG_MS = 50
const GROWTH_BYTES_MAX = 64 * 1024 * 1024

const processorMs = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1_000
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function framesIn(file: string): Frame[] {
  const folder = join(import.meta.dirname, '..', '..', 'protocol', 'test', 'fixtures')
  const golden = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
    readonly shape: string
    readonly hex: string
  }[]
  return golden
    .filter(({ shape }) => shape.includes('request from client'))
    .flatMap(({ hex }) => {
      const decoder = new FrameDecoder()
      decoder.push(Buffer.from(hex, 'hex'))
      return decoder.next() ?? []
    })
}

/** Requests that only our own clients send. */
const ownRequests = (): Frame[] => {
  const lease = {
    group: 'Own',
    instance: 'i',
    mode: 'clustering',
    topics: ['T'],
    held: [],
    from: 'first',
    leaving: false,
  } as const
  const sends = [{ topic: 'T', body: Buffer.from('x'), properties: { a: 'b' } }]
  const events = [{ type: 'e', schema: 1, data: Buffer.from('{}') }]
  const appends = [{ category: 'E', stream: 's', expected: 'any' as const, events }]
  const requests = [
    [protocol.leaseQueues, lease],
    [protocol.commit, { ...emptyCommit, sends, appends }],
    [protocol.readStream, { category: 'E', stream: 's', fromVersion: 1, maxEvents: 9 }],
    [protocol.createTopic, { topic: 'N', readQueues: 2, writeQueues: 2, perm: 6, kind: 'message' }],
    [protocol.brokerStatus, {}],
    [protocol.listTopics, { after: '', maxTopics: 9 }],
    [protocol.describeTopic, { topic: 'T' }],
    [protocol.describeRetention, {}],
    [protocol.listTimers, { topic: '', afterDueAtMs: 0, afterPosition: 0, maxTimers: 9 }],
    [protocol.deleteTopic, { topic: 'N', isForced: true }],
    [protocol.listGroups, { after: '', maxGroups: 9 }],
    [protocol.describeGroup, { group: 'Own' }],
  ] as unknown as readonly [protocol.RequestCodec<unknown, unknown>, unknown][]
  return requests.map(([codec, payload]) => ({
    dialect: 'binary',
    code: codec.code,
    language: 7,
    version: 479,
    opaque: 1,
    flag: 0,
    ...codec.encodeRequest(payload),
  }))
}

const corpus = [
  ...framesIn('java-client-5.3.3-json.json'),
  ...framesIn('java-client-5.3.3-binary.json'),
  ...ownRequests(),
]
const wholeFrames = corpus.map(encodeFrame)

const EXTREMES = [
  '',
  '-1',
  '0',
  '16',
  '-5',
  '2147483647',
  '2147483648',
  '9007199254740992',
  '1e9',
  'NaN',
]
const ODD = [
  '__proto__',
  '../../x',
  '%RETRY%',
  '%DLQ%G',
  '\u0000',
  '\u0001\u0002',
  'T',
  'x'.repeat(300),
]

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[below(random, items.length)] as Item
}

const chance = (random: Random, share: number): boolean => below(random, 1_000) < share * 1_000

/** A frame that can be read, with something in it that nobody meant. */
function damaged(random: Random, frame: Frame): Frame {
  const fields = new Map(frame.fields)
  const names = [...fields.keys()]
  const name = names.length === 0 ? 'topic' : pick(random, names)
  switch (below(random, 8)) {
    case 0:
      fields.delete(name)
      return { ...frame, fields }
    case 1:
      return { ...frame, fields: fields.set(name, pick(random, EXTREMES)) }
    case 2:
      return { ...frame, fields: fields.set(name, pick(random, ODD)) }
    case 3:
      return { ...frame, code: pick(random, corpus).code }
    case 4:
      return { ...frame, body: frame.body.subarray(0, below(random, frame.body.length + 1)) }
    case 5:
      return { ...frame, body: scratched(random, frame.body) }
    case 6:
      return { ...frame, body: pick(random, corpus).body, flag: below(random, 4) }
    default:
      return {
        ...frame,
        opaque: below(random, 4) - 2,
        code: below(random, 400),
        flag: below(random, 3),
      }
  }
}

/** Some bytes changed, to any value or by one bit. */
function scratched(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  if (copy.length === 0) return copy
  for (let left = 1 + below(random, 4); left > 0; left -= 1) {
    const at = below(random, copy.length)
    const old = copy[at] ?? 0
    copy[at] = chance(random, 0.5) ? below(random, 256) : old ^ (1 << below(random, 8))
  }
  return copy
}

function mutated(random: Random): Buffer {
  const kind = below(random, 100)
  if (kind < 75) return encodeFrame(damaged(random, pick(random, corpus)))
  const bytes = pick(random, wholeFrames)
  if (kind < 90) return scratched(random, bytes)
  if (kind < 95) return Buffer.concat([bytes, bytes.subarray(0, below(random, bytes.length))])
  return Buffer.concat([bytes.subarray(0, below(random, bytes.length)), mutated(random)])
}

/** Sends bytes to the broker over connections that are replaced when they were closed. */
class Attacker {
  private readonly world: World
  private readonly random: Random
  private channel: Channel<Buffer> | undefined
  connections = 0

  constructor(world: World, random: Random) {
    this.world = world
    this.random = random
  }

  send(bytes: Buffer): void {
    const channel = this.channel ?? this.connect()
    if (!channel.send(bytes)) this.channel = undefined
  }

  hangUp(): void {
    this.channel?.close('enough')
    this.channel = undefined
  }

  private connect(): Channel<Buffer> {
    const [near, far] = byteChannelPair(this.random)
    near.onItem(() => undefined)
    near.onClose(() => {
      if (this.channel === near) this.channel = undefined
    })
    this.world.broker.accept(commandChannel(far))
    this.connections += 1
    this.channel = near
    return near
  }
}

async function attack(seed: number, frames: number): Promise<void> {
  const random = seededRandom(seed)
  const world = await openWorld(seed, { durability: 'memory', segmentBytes: 1024 * 1024 })
  const attacker = new Attacker(world, random.fork('bytes'))
  const draw = random.fork('frames')
  for (let n = 0; n < frames; n += 1) {
    const bytes = mutated(draw)
    try {
      const startedMs = performance.now()
      attacker.send(bytes)
      if (performance.now() - startedMs > HANG_MS) {
        // Somebody else may have had the processor: what hangs does so again.
        const again = [1, 2, 3].map(() => {
          const againMs = performance.now()
          attacker.send(bytes)
          return performance.now() - againMs
        })
        expect(Math.min(...again)).toBeLessThan(HANG_MS)
      }
    } catch (error) {
      throw new Error(`SEED=${seed}, frame ${n}: ${bytes.toString('hex')}`, { cause: error })
    }
    if (n % 64 === 0) await world.run(1)
    if (chance(draw, 0.02)) attacker.hangUp()
  }
  attacker.hangUp()
  // Held pulls, deadlines and timers of a while are over; then it serves as if nothing had been.
  await world.run(31_000)
  expect(attacker.connections).toBeGreaterThan(1)
  expect(world.broker.failure).toBeUndefined()
  const caller = world.caller()
  const sent = await caller.call(protocol.sendMessage, messageOf('After', 'still here'))
  expect(sent.code, `SEED=${seed}`).toBe(protocol.ResponseCode.SUCCESS)
  await within(world.time, world.broker.close())
}

test(
  'a million damaged frames, or as many as there is time for',
  { timeout: 300_000 },
  async () => {
    const given = Number(process.env['SEED'] ?? 0)
    if (given > 0) {
      await attack(given, PER_WORLD)
      return
    }
    const startedMs = performance.now()
    const before = processorMs()
    const isTimeUp = (): boolean =>
      processorMs() - before > BOX_MS || performance.now() - startedMs > PATIENCE_MS
    // Nobody looks at the stacks of a million refusals.
    const stackTraceLimit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    const heap: number[] = []
    let frames = 0
    for (let seed = 1; frames < WANTED; seed += 1) {
      if (isTimeUp() && frames >= LEAST) break
      const each = Math.min(PER_WORLD, WANTED - frames, isFull ? PER_WORLD : 3_000)
      await attack(seed, each)
      frames += each
      collectGarbage()
      heap.push(process.memoryUsage().heapUsed)
    }
    Error.stackTraceLimit = stackTraceLimit
    const tookMs = Math.round(performance.now() - startedMs)
    const took = `${tookMs} ms, ${Math.round(processorMs() - before)} ms of the processor`
    process.stdout.write(`${frames} of ${WANTED} damaged frames in ${took}\n`)
    expect(frames).toBeGreaterThanOrEqual(LEAST)
    // Worlds come and go: what one leaves behind would add up.
    const early = Math.max(...heap.slice(0, Math.ceil(heap.length / 4)))
    expect((heap.at(-1) ?? 0) - early).toBeLessThan(GROWTH_BYTES_MAX)
  },
)
