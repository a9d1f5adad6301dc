/**
 * Sends to a cluster whose brokers die, come back, refuse, and lose requests and replies, at
 * random: what a producer says of a message is true, and a key keeps its queue and its order.
 */
import { below, position, queueOffset, type Random } from '@sagalog/kernel'
import { seededRandom } from '@sagalog/kernel/testing'
import { hostBytes, offsetId, ResponseCode, sendMessage } from '@sagalog/protocol'
import type { SendMessageRequest } from '@sagalog/protocol'
import * as t from 'io-ts'
import { expect, it } from 'vitest'
import { ClientError, createProducer, topic } from '../src/index.js'
import { type ScriptedBroker, scriptedCluster } from './scripted-cluster.js'

const Numbers = topic('numbers', t.number)
const KEYS = ['ann', 'bob', 'cid', undefined, undefined, undefined]
const SENDS = 40

const FAULTS = [
  'none',
  'reply lost',
  'reply lost with the connection',
  'request lost with the connection',
  'disk full',
  'busy',
  'refused',
  'stored, and an error said',
] as const
type Fault = (typeof FAULTS)[number]

const { MESSAGE_ILLEGAL, SERVICE_NOT_AVAILABLE, SYSTEM_BUSY, SYSTEM_ERROR } = ResponseCode

const REFUSALS: Partial<Record<Fault, { readonly code: number; readonly remark: string }>> = {
  'disk full': { code: SERVICE_NOT_AVAILABLE, remark: 'the disk is full' },
  busy: { code: SYSTEM_BUSY, remark: 'busy' },
  refused: { code: MESSAGE_ILLEGAL, remark: 'not this one' },
  'stored, and an error said': { code: SYSTEM_ERROR, remark: 'unknown' },
}

/** How often each fault was met, and each kind of end. */
const reached = new Map<string, number>()
const count = (what: string): void => void reached.set(what, (reached.get(what) ?? 0) + 1)

interface Sent {
  readonly n: number
  readonly key: string | undefined
  end: 'pending' | 'stored' | 'unchanged' | 'unknown'
}

interface Stored {
  readonly n: number
  readonly queue: string
}

/** The brokers of a cluster, with faults; what they stored, in its order. */
class FaultyBrokers {
  readonly stored: Stored[] = []
  isCalm = false
  readonly #random: Random
  readonly #offsets = new Map<string, number>()

  constructor(random: Random, brokers: readonly ScriptedBroker[]) {
    this.#random = random
    for (const broker of brokers)
      broker.on(sendMessage, (request) => this.#answer(broker, this.#fault(), request))
  }

  #fault(): Fault {
    const isWell = this.isCalm || below(this.#random, 3) > 0
    const fault = (isWell ? undefined : FAULTS[below(this.#random, FAULTS.length)]) ?? 'none'
    count(fault)
    return fault
  }

  #answer(broker: ScriptedBroker, fault: Fault, request: SendMessageRequest) {
    const refusal = REFUSALS[fault]
    const isLost = fault === 'request lost with the connection'
    const isStored = !isLost && (refusal === undefined || refusal.code === SYSTEM_ERROR)
    const payload = isStored ? this.#store(broker, request) : undefined
    if (fault.endsWith('with the connection')) broker.drop()
    if (refusal !== undefined) return refusal
    return payload === undefined || fault.startsWith('reply lost') ? undefined : { payload }
  }

  #store({ address, name }: ScriptedBroker, { body, queueId }: SendMessageRequest) {
    const queue = `${name} ${queueId}`
    const at = this.#offsets.get(queue) ?? 0
    this.#offsets.set(queue, at + 1)
    this.stored.push({ n: Number(body), queue })
    const msgId = offsetId(hostBytes(address), position(64 * this.stored.length))
    return { msgId, queueId, queueOffset: queueOffset(at) }
  }
}

async function run(seed: number): Promise<void> {
  const random = seededRandom(seed)
  const { a, b, connection, pass } = scriptedCluster({ seed, requestTimeoutMs: 500 })
  const brokers = new FaultyBrokers(random, [a, b])
  const producer = createProducer(connection, { group: 'p' })
  const sends: Sent[] = []
  const ends: Promise<void>[] = []
  for (let n = 0; n < SENDS; n += 1) {
    const key = KEYS[below(random, KEYS.length)]
    const sent: Sent = { n, key, end: 'pending' }
    sends.push(sent)
    const send = producer.send(Numbers, n, key === undefined ? {} : { shardingKey: key })
    ends.push(
      send.then(
        () => void (sent.end = 'stored'),
        (thrown: unknown) => {
          if (!ClientError.is(thrown)) throw thrown
          count(thrown.code)
          sent.end = thrown.state === 'unchanged' ? 'unchanged' : 'unknown'
        },
      ),
    )
    const victim = below(random, 2) === 0 ? a : b
    const blow = below(random, 12)
    if (blow === 0) victim.die()
    if (blow > 0 && blow < 4) victim.isReachable = true
    await pass(below(random, 150))
  }
  for (const broker of [a, b]) broker.isReachable = true
  brokers.isCalm = true
  await pass(10_000)
  await Promise.all(ends)
  for (const sent of sends) expectTruth(sent, brokers.stored)
  for (const key of new Set(KEYS)) if (key !== undefined) expectOrder(key, sends, brokers.stored)
  connection.close()
}

function expectTruth({ end, key, n }: Sent, stored: readonly Stored[]): void {
  const copies = stored.filter((one) => one.n === n).length
  const what = `message ${n} with key ${key}, which ended ${end}`
  expect(end, what).not.toBe('pending')
  if (end === 'stored') expect(copies, what).toBeGreaterThanOrEqual(1)
  if (end === 'unchanged') expect(copies, what).toBe(0)
  if (key !== undefined) expect(copies, what).toBeLessThanOrEqual(1)
  count(`ended ${end}`)
  if (copies > 1) count('stored twice')
}

function expectOrder(key: string, sends: readonly Sent[], stored: readonly Stored[]): void {
  const numbers = new Set(sends.filter((sent) => sent.key === key).map(({ n }) => n))
  const mine = stored.filter(({ n }) => numbers.has(n))
  const order = mine.map(({ n }) => n)
  expect(order, `key ${key}`).toEqual(order.toSorted((one, other) => one - other))
  expect(new Set(mine.map(({ queue }) => queue)).size, `key ${key}`).toBeLessThanOrEqual(1)
}

const { env } = process
const isFull = env['SAGALOG_FULL'] === '1'
const only = env['SEED'] === undefined ? undefined : Number(env['SEED'])
const SEEDS = isFull ? 2_000 : 20
const BOX_MS = 20_000

it('says the truth of every message, and keeps keys in order', { timeout: 120_000 }, async () => {
  const endMs = performance.now() + BOX_MS
  const first = only ?? 1
  const behind = only === undefined ? SEEDS + 1 : only + 1
  let seed = first
  for (; seed < behind && performance.now() < endMs; seed += 1) {
    try {
      await run(seed)
    } catch (cause) {
      const replay = `SEED=${seed} npx vitest run packages/client/test/cluster-sending.property`
      throw new Error(`broken at SEED=${seed}, replay: ${replay}\n${String(cause)}`, { cause })
    }
  }
  if (only !== undefined) return
  console.log(
    `sends to a cluster: ${seed - 1} seeds, ${JSON.stringify(Object.fromEntries(reached))}`,
  )
  expect(seed - 1).toBeGreaterThanOrEqual(SEEDS / 10)
  for (const fault of FAULTS) expect(reached.get(fault) ?? 0, fault).toBeGreaterThan(3)
  for (const end of ['ended stored', 'ended unchanged', 'ended unknown', 'stored twice'])
    expect(reached.get(end) ?? 0, end).toBeGreaterThan(3)
})
